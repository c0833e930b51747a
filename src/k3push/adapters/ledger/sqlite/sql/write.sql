-- What a connection that writes is told besides.
PRAGMA temp_store = MEMORY;
PRAGMA busy_timeout = 0;  -- who may wait for other processes says so (`Connection.begin`)
