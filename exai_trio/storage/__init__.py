"""What must outlive the daemon: a Protocol and its adapters."""
