"""What the daemon has seen go wrong, in the SQLite file: incidents, alerts, observations."""
