"""A client, a daemon and a keeper in one process under trio's clock, with lines that break and a daemon that is killed."""
