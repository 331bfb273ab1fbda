"""PostgreSQL as the store: calls and conversations in a database that several daemons may share."""
