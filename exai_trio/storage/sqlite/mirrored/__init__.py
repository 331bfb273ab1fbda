"""The part of the SQLite file that a hosted store is to hear of."""
