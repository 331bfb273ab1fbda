"""When a failed request is tried again, when none is made at all, and how often anything may be done."""
