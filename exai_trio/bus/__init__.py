"""Large results, kept as files in pieces: a client fetches them piece by piece, and they hold up nobody else."""
