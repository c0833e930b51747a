"""The dashboard: runs, numbers and their evidence in a browser, and a person's word to them.

It looks through `ports.Ledger` alone, whatever database is behind it, and sends nothing to an
ERP. `app.dashboard` puts it together; `access` decides who may come in.
"""
