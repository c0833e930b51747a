"""Runs of many tenants on many machines: the same use cases as jobs of Procrastinate.

What is to be done stands in tables of our own (`queue`, `sql/`), and a job of the engine is only
the vehicle: a run that is open and due and has no job gets one. So a host that dies between any
two steps loses nothing. The body of a job is `resume`; `ending` says what follows from how it
ended; `worker` serves.
"""
