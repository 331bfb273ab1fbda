"""Baselines of every tool through the real daemon: how long, how much of it is ours, what it cost, whether it was right."""
