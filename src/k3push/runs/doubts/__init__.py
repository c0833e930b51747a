"""Numbers whose answer was lost: what became of them, by looks or by a person's word."""
