"""Tools that give files to providers, and ask about them."""
