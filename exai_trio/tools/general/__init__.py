"""Tools for everything else: chat, challenge, result, threads."""
