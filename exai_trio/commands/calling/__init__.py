"""`exai call`: one tool call from a shell, carried through to its outcome."""
