"""EXAI on Trio: a daemon that gives a coding agent a second opinion, and the shim that never goes away."""

__version__ = "0.1.0"
