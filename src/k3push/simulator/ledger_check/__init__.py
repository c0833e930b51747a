"""Whether a ledger tells what the site has in its books."""
