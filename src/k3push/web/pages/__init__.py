"""The pages of the dashboard, and what their templates are filled with."""
