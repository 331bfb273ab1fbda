"""What the daemon knows and counts of itself."""
