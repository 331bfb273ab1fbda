"""What daemons that share a store ask of it: calls and their owners, and permits of providers."""
