"""The calls of a client on their way to a daemon, and which of them wait for one."""
