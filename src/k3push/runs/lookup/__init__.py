"""Ask the ERP what is there: which bills, what was made of them, and how that stands."""
