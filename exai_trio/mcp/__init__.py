"""The Model Context Protocol as a server speaks it: messages in, lines out; neither stdio nor sockets."""
