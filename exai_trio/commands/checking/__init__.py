"""`exai doctor` and `exai status`: what is wrong, and what runs."""
