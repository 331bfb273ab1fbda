"""Terminal sessions in the daemon. Nothing of it is loaded where EXAI_TERMINALS is false."""
