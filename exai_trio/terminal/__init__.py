"""Terminal sessions that outlive the daemon: the processes that keep them, the daemon's way to those, and the client's loop."""
