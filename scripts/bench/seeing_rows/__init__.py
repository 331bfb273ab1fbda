"""What seeing costs under load: each module has the rows of one thing."""
