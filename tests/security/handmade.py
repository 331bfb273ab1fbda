"""One end of a WebSocket made by hand, as another user if need be: no import is needed once the user has changed.

handmade.py ask UID PORT      a client: its hello is on stdin, with headers; the daemon's answer and close go to stdout
handmade.py serve UID         a listener: says its port, then the hello of the first client that comes
"""

import base64
import hashlib
import json
import os
import socket
import struct
import sys

GUID = "258EAFA5-E914-47DA-95CA-C5AB0DC85B11"
PATIENCE_S = 20


def take(stream, count):
    data = b""
    while len(data) < count:
        piece = stream.recv(count - len(data))
        if not piece:
            raise EOFError
        data += piece
    return data


def read_frame(stream):
    first, second = take(stream, 2)
    size = second & 0x7F
    if size == 126:
        (size,) = struct.unpack(">H", take(stream, 2))
    elif size == 127:
        (size,) = struct.unpack(">Q", take(stream, 8))
    mask = take(stream, 4) if second & 0x80 else bytes(4)
    return first & 0x0F, bytes(byte ^ mask[i % 4] for i, byte in enumerate(take(stream, size)))


def read_head(stream):
    head = b""
    while not head.endswith(b"\r\n\r\n"):
        head += take(stream, 1)
    return head.decode("latin-1")


def text_frame(text, masked):
    data = text.ljust(126).encode()  # so that one form of the length does for all
    head = bytes([0x81]) + struct.pack(">BH", (0x80 if masked else 0) | 126, len(data))
    return head + (bytes(4) if masked else b"") + data


def ask(port, hello, headers):
    with socket.create_connection(("127.0.0.1", port), PATIENCE_S) as stream:
        extra = "".join(f"{name}: {value}\r\n" for name, value in headers.items())
        stream.sendall(
            f"GET / HTTP/1.1\r\nHost: 127.0.0.1:{port}\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
            f"Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: AAAAAAAAAAAAAAAAAAAAAA==\r\n{extra}\r\n".encode()
        )
        read_head(stream)
        stream.sendall(text_frame(json.dumps({"op": "hello", **hello}), masked=True))
        answer = json.loads(read_frame(stream)[1])
        code = None
        if not answer["ok"]:
            kind, data = read_frame(stream)
            code = struct.unpack(">H", data[:2])[0] if kind == 8 else kind
        return {"answer": answer, "code": code}


def serve(tell):
    with socket.create_server(("127.0.0.1", 0)) as listener:
        listener.settimeout(PATIENCE_S)
        tell({"port": listener.getsockname()[1]})
        while True:
            stream, _ = listener.accept()
            with stream:
                stream.settimeout(PATIENCE_S)
                try:
                    head = read_head(stream)
                except EOFError:
                    continue
                key = next(
                    line.split(":", 1)[1].strip()
                    for line in head.split("\r\n")
                    if line.lower().startswith("sec-websocket-key:")
                )
                accept = base64.b64encode(hashlib.sha1((key + GUID).encode()).digest()).decode()  # noqa: S324
                stream.sendall(
                    "HTTP/1.1 101 Reload Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
                    f"Sec-WebSocket-Accept: {accept}\r\n\r\n".encode()
                )
                tell(json.loads(read_frame(stream)[1]))
                return


def main(what, uid, *more):
    asked = json.loads(sys.stdin.readline()) if what == "ask" else {}
    os.setgroups([]) if os.geteuid() == 0 else None
    if int(uid) != os.geteuid():
        os.setgid(int(uid))
        os.setuid(int(uid))
    if what == "ask":
        said = ask(int(more[0]), asked["hello"], asked["headers"])
        print(json.dumps(said), flush=True)  # noqa: T201
    else:
        serve(lambda value: print(json.dumps(value), flush=True))  # noqa: T201


if __name__ == "__main__":
    "é".encode("idna")  # loads the codecs that `getaddrinfo` needs
    main(*sys.argv[1:])
