"""Tools that show one service as it is."""
