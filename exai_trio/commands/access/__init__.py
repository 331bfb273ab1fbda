"""The commands that say who may call, and who did."""
