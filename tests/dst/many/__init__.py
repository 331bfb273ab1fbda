"""Many daemons on one store, on a clock that jumps: they die, freeze and are cut off, and every promise holds."""
