"""Pushes that are asked for: by people of the dashboard, by programs and by schedules."""
