"""The steps by which every SQL ledger reads and writes, whichever database is behind them."""
