"""What the daemon knows of itself."""
