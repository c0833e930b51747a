"""Runs of many tenants on many machines: the same use cases as jobs of Procrastinate.

What is to be done stands in tables of our own (`queue`, `sql/`). A job of Procrastinate only
carries it: a run that is open and due and has no job gets one. So a host that dies between any two
steps loses nothing. A job does what `k3push resume` does; `followup` says what follows from how it
ended; `worker` serves.
"""
