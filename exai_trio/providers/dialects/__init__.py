"""What each service wants and means, as values."""
