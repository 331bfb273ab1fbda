"""Reading why a service does not answer: one of our errors out."""
