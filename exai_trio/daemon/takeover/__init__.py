"""One daemon replaces another: sockets, calls and their outcomes change hands."""
