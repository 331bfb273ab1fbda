"""What is kept of what the daemon sees: alerts, incidents, observations, figures and usage. No SQL here."""
