"""Tools that only report."""
