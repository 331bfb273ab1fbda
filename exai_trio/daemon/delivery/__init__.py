"""Frames on their way to a client: in order, none lost."""
