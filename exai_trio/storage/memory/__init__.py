"""The store in dicts, for trials that leave nothing behind."""
