"""Calls other than the one at hand: earlier ones of a run, and those of other runs."""
