"""What follows from the figures: alerts, and the observations of an auditor."""
