"""A log of records on disk, appended to by the event loop and folded into the database behind it."""
