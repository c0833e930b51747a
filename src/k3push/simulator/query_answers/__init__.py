"""What queries are answered with: forms, their fields, and tables that hold no bills."""
