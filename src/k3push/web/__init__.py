"""The dashboard: runs, numbers and their evidence in a browser, and what people begin there.

It looks through `ports.Ledger` alone, whatever database is behind it. What is begun in it is
executed by `wiring.executor`, as on the command line. `asgi.dashboard` puts it together; `access`
decides who may come in.
"""
