import os
import socket
import tempfile
from dataclasses import dataclass, field
from datetime import timedelta
from pathlib import Path

import httpx2
import trio

UPSTREAM = "https://api.moonshot.cn/v1"  # planted: no-reason
LOCK = "/var/run/exai.lock"  # planted: no-reason
GATEWAY = "10.1.2.3"  # planted: no-reason


async def served(handler):
    await trio.serve_tcp(handler, 8079)  # planted: port


def bound(sock):
    sock.bind(("localhost", 5000))  # planted: host port


def reached():
    return socket.create_connection(("example.com", 80))  # planted: host port


def posted(client):
    return client.post("http://localhost:11434/api/generate", json={})  # planted: url


def read(client, timeout_s=20):  # planted: duration
    return client.read(timeout_s)


async def deadline(work):
    with trio.move_on_at(trio.current_time() + 10):  # planted: duration
        await work()


async def paused():
    await trio.sleep(1 / 3)  # planted: duration


def expiry(now):
    return now + timedelta(hours=24)  # planted: duration


def session():
    return httpx2.AsyncClient(timeout=httpx2.Timeout(30.0, connect=5.0))  # planted: duration


def waited(process):
    process.wait(timeout=10)  # planted: duration


def queues():
    import queue

    return queue.Queue(maxsize=1000)  # planted: limit


@dataclass
class Bounds:
    max_bytes: int = 10 * 1024 * 1024  # planted: limit
    interval: float = field(default=2.5)  # planted: duration


def chunks(stream):
    chunk_size = 65_536  # planted: limit
    while data := stream.read(chunk_size):
        yield data


def model_of(request):
    return request.get("model", "glm-4.5-flash")  # planted: model


def fallback():
    return ["kimi-k2.5", "claude-sonnet-4"]  # planted: model


def home():
    return Path("~/.config/exai").expanduser()  # planted: path


def scratch():
    return os.path.join("/tmp/exai", "work")  # planted: path


def key():
    return os.environ["GLM_API_KEY"]  # planted: environment


def shell():
    return os.getenv("SHELL", "sh")  # planted: environment


def plain(rows):
    return rows[:10], len(rows) > 3
