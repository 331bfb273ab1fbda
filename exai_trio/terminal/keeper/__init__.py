"""The process that keeps one terminal session. Everything here imports the standard library alone."""
