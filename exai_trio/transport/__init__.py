"""The borders to sockets and pipes: WebSocket, HTTP, standard input and output, and who is at the other end."""
