-- What every connection is told first. FULL: a commit is on disk when it returns, also in WAL.
-- Where a flush reaches only the drive's cache (macOS), `fullfsync` reaches the disk.
PRAGMA busy_timeout = 30000;
PRAGMA journal_mode = WAL;
PRAGMA synchronous = FULL;
PRAGMA fullfsync = ON;
PRAGMA journal_size_limit = 67108864;
