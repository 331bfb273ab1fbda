"""Logins of pages: codes, sessions, and what of them outlives a daemon."""
