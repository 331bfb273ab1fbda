"""Daemons that share a PostgreSQL behind a balancer, and what is done to them."""
