"""What travels: messages, codecs and session rules. Pure."""
