"""One piece of work: from a request to its kept outcome, also over a restart."""
