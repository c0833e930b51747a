"""Which bills have more documents than they should have, whoever made them."""
