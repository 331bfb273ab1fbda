"""Several models asked the same question, and what their answers have in common."""
