"""`exai stop` and `exai restart`: the daemon of a home, ended and begun."""
