"""The daemon as a process of the system: its home, its signals, its settings read again, its child."""
