"""Asking a model, as every tool does it."""
