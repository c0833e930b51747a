"""From an ERP message to its cause and cure."""
