"""What the ledger keeps of runs for later executions: rows by pages, attempts and memos."""
