"""The steps of an investigation: one step's note, and what all notes make. Pure."""
