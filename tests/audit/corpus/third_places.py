import os
import ssl
import urllib.request
from dataclasses import dataclass, field
from os import environ  # planted: environment
from pathlib import Path

import attrs
import httpx2
import trio

ENDPOINT = "wss://relay.example.net/socket"  # planted: no-reason
SOCKET = "/run/exai/daemon.sock"  # planted: no-reason


@attrs.frozen
class Options:
    retries: int = 7  # planted: limit
    timeout_s: float = 12.5  # planted: duration
    port: int = 9443  # planted: port
    cache: Path = Path("/var/lib/exai")  # planted: path
    model: str = "kimi-k2-turbo-preview"  # planted: model


@dataclass
class Pool:
    max_connections: int = field(default=32)  # planted: limit


async def dial():
    return await trio.open_tcp_stream("api.moonshot.ai", 443)  # planted: host port


def client():
    return httpx2.Client(base_url="https://open.bigmodel.cn/api", timeout=60)  # planted: url duration


def pooled():
    return httpx2.Limits(max_connections=100, max_keepalive_connections=20)  # planted: limit


async def beat(socket):
    while True:
        await trio.sleep(15)  # planted: duration
        await socket.ping()


async def bounded(work):
    with trio.move_on_after(2 * 60):  # planted: duration
        await work()


def ready(event):
    event.wait(timeout=3)  # planted: duration


def listen(server):
    server.bind(("0.0.0.0", 8765))  # planted: host port


def fetch():
    return urllib.request.urlopen("http://169.254.169.254/latest")  # planted: url


def chosen(payload):
    payload["model"] = "glm-4.5-air"  # planted: model
    payload.setdefault("max_tokens", 4096)  # planted: limit
    return payload


def logs():
    return Path.home() / ".exai" / "logs", "/tmp/exai.log"  # planted: path


def rooms(stack):
    stack.limiter = trio.CapacityLimiter(total_tokens=24)  # planted: limit
    send, receive = trio.open_memory_channel[bytes](256)  # planted: limit
    return send, receive


def token():
    return os.environ.get("EXAI_TOKEN", "")  # planted: environment


def is_debug():
    return os.getenv("DEBUG") == "1"  # planted: environment


def old(age):
    return age > 3600


def window(now, last):
    if now - last < 30.0:
        return None
    return last


def backoff(attempt):
    delay = min(0.5 * 2**attempt, 30)  # planted: duration
    return delay


async def tried(call):
    for attempt in range(5):
        await call(attempt)


DEFAULTS = {"host": "localhost", "timeout": 30}  # planted: no-reason
