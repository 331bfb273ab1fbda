"""The command line as it is typed: its words, its mistakes, its help."""
