"""What was asked for and cannot be meant."""


class Wrong(Exception):
    """One line: the file, the key, and what is allowed. Ends the program with 2."""
