"""Real editors, driven over a scripted model: see scripts/editors.py."""
