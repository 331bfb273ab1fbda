"""What controls a running daemon: signals, settings that are read again, the drain."""
