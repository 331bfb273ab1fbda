"""The daemon: accepts clients, runs their calls, keeps the jobs."""
