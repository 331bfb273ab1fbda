"""One client across its sockets: its calls, what is held for it, and who is let go of."""
