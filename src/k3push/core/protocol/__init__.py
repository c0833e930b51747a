"""The ERP's own language: its JSON, logins, pairs of forms, pages, cookies and compression."""
