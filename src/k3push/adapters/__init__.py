"""How the ports are fulfilled: files in, the ERP over HTTP, ledgers, notices."""
