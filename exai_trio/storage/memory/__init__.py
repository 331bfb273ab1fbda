"""The store in dicts, for tests and trials."""
