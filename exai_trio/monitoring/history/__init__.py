"""The history of figures and of usage, on its way to the store."""
