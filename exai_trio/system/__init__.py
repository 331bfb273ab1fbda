"""What the operating system and Python's runtime are told: clocks, memory, descriptors, private files."""
