"""Documents of the bills of a run: there already, its own, come late, or somebody else's."""
