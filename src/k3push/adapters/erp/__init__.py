"""The ERP over HTTP."""
