"""The database file: how it is opened, brought to today's schema, and set aside when it is damaged."""
