"""What travels between client and daemon: messages, their codec, and the rules of a session. Pure."""
