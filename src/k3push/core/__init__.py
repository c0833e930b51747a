"""The rules of pushing, pure: no loop, clock, disk, network or log."""
