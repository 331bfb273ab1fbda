import os
from os import getenv  # planted: environment
from pathlib import Path

import trio

SERVER = "https://api.openai.com/v1"  # planted: no-reason
LISTEN_PORT = 9000  # planted: no-reason
CACHE = Path("/var/cache/exai")  # planted: no-reason


async def listen(handler):
    await trio.serve_tcp(handler, port=8080, host="127.0.0.1")  # planted: port host


def connect(sock):
    sock.connect(("10.0.0.5", 5432))  # planted: port host


def ask(client):
    return client.post("https://api.example.com/v1/chat", json={"model": "gpt-4o-mini"})  # planted: url model


def database(engine):
    return engine.connect("postgresql://db.internal:5432/exai")  # planted: url


def answer_of(client, prompt, model="glm-4.6"):  # planted: model
    return client.ask(prompt, model=model)


def journal():
    return open("/var/log/exai/journal.log")  # planted: path


def scratch():
    return Path("/tmp/exai")  # planted: path


def own():
    return os.path.expanduser("~/.exai/config.toml")  # planted: path


async def patiently(work):
    with trio.fail_after(30):  # planted: duration
        await work()


async def rest():
    await trio.sleep(0.5)  # planted: duration


def request(client, timeout=10.0):  # planted: duration
    return client.get(timeout=timeout)


def keep(cache):
    cache.configure(ttl=60 * 60, max_entries=500)  # planted: duration limit


def narrow():
    return trio.CapacityLimiter(16)  # planted: limit


def channel():
    return trio.open_memory_channel(100)  # planted: limit


def again(action):
    max_retries = 5  # planted: limit
    return action(max_retries)


def wait_of(options):
    return options.get("timeout", 45)  # planted: duration


def home():
    return os.environ["HOME"]  # planted: environment


def level():
    return os.environ.get("LOG_LEVEL", "INFO")  # planted: environment


def quieter(env):
    return env.get("LOG_LEVEL", "WARNING")  # planted: two-defaults


def mirror():
    return f"http://cache.internal:{9999}/models"  # planted: url
