"""The tools: declarations, registry, prompt assembly."""
