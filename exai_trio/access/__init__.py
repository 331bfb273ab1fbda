"""Who may what: claims, keys, the registry of tokens, quotas."""
