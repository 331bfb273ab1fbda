"""Back-off, breaker, guard: when to try again, when not to try at all."""
