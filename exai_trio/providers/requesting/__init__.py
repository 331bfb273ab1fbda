"""Requests to providers: what is noted of each, and how it ended."""
