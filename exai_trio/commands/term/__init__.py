"""`exai term`: terminals beside the daemon."""
