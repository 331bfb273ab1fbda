"""Files that EXAI keeps: stored once, given to providers once, counted, and cleaned up."""
