"""The simulated model: what it is asked, what it answers, what it caches. Pure."""
