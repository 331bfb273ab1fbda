"""Many daemons on one store: leases, calls that change their daemon, and clients that do."""
