"""Asking git about a repository that nobody trusts: none of its programs run, and nothing outside the allowed roots is read."""
