"""What the commands of `exai` do; each is imported when it is asked for."""
