"""What an incident is, asked of a model: on request, or for each where EXAI_INVESTIGATE is set."""
