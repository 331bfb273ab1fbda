"""Faults of EXAI: caught where they are logged, counted once each, explained on request."""
