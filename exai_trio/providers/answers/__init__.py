"""Reading what a service answers: bytes in, one answer out."""
