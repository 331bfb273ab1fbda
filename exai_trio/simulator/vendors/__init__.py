"""How each simulated service refuses and how it writes its answers. Pure."""
