"""What `scripts/audit` and the other guards of the repository are made of."""
