"""What the daemon does now and then, supervised."""
