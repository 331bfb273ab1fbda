"""One socket, from TCP to its end: who may come in, what is read, what ends it."""
