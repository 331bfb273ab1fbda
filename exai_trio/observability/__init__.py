"""Logs, metrics, watchdog."""
