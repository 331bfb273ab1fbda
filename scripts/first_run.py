"""The first run: a daemon, one call through the shim as an editor would make it, the editor configuration, then serving."""

import argparse
import os
import signal
import subprocess
import sys
from contextlib import contextmanager
from pathlib import Path

import msgspec
import trio

from exai_trio.commands.setup.providers_on_disk import add_server, providers_path
from exai_trio.providers.local_servers.detect import detect, usable
from exai_trio.settings.load import load, own_file

ROOT = Path(__file__).resolve().parent.parent
EXAI = [sys.executable, "-P", "-m", "exai_trio"]
SHORT_QUESTION = "In one sentence: what do you look at first in a review of code?"
QUESTION = "What does this file hold, and what would you check first in a review of it?"
REVIEWED = ROOT / "exai_trio" / "errors.py"


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--once", action="store_true", help="stop after the self-check")
    arguments = parser.parse_args()
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    slow = choose_providers()
    with daemon() as process:
        self_check(slow=slow)
        subprocess.run([*EXAI, "config", "--mcp"], check=True)
        if not arguments.once:
            print("\nserving; Ctrl-C stops", flush=True)
            process.wait()


def choose_providers():
    """Keys and providers that are set, else a model server of this machine, else the simulator; which it is is said. Whether it is slow."""
    own = own_file(os.environ, sys.platform, os.path.expanduser("~"))  # noqa: PTH111  # Path's raises where there is no home
    config = settings(own)
    if config.simulate or config.glm_api_key or config.kimi_api_key or config.providers_file:
        return False
    found = trio.run(detect, os.environ)
    if (servers := usable(found)) and own is not None:
        name = add_server(servers[0], config, own)
        print(f"no provider key is set: asking {servers[0].title} at {servers[0].base_url}")
        print(
            f"it is {name} in {providers_path(config, own)}; `exai providers remove {name}` undoes that\n",
            flush=True,
        )
        return True
    for each in found:
        print(
            f"{each.server.base_url} wants a key, has no model, or is not yours; `exai providers detect` says which"
        )
    os.environ["EXAI_SIMULATE"] = "true"
    print("no provider key is set: running against the bundled simulator (EXAI_SIMULATE=true)")
    print("`exai config set GLM_API_KEY` or KIMI_API_KEY asks for one\n", flush=True)
    return False


def settings(own):
    """What the daemon will read, as far as it can be read; it says itself what is wrong."""
    env_file, named = Path(os.environ.get("ENV_FILE") or ".env"), bool(os.environ.get("ENV_FILE"))
    texts = [text_of(env_file), "" if own is None else text_of(own)]
    return load({}, os.environ, texts[0], os.pathsep, own=texts[1], found=not named).config


def text_of(path):
    try:
        return path.read_text(encoding="utf-8")
    except (OSError, UnicodeError):
        return ""


@contextmanager
def daemon():
    """A running `exai serve`; stopped with SIGTERM at the end, and waited for."""
    process = subprocess.Popen([*EXAI, "serve"], stdout=subprocess.PIPE, text=True)
    try:
        line = process.stdout.readline()
        if not line:
            raise SystemExit(process.wait() or 1)
        print(line, end="", flush=True)
        yield process
    except KeyboardInterrupt:
        print("\nstopping …", flush=True)
    finally:
        process.send_signal(signal.SIGTERM)
        process.wait()
        process.stdout.close()


def self_check(*, slow):
    """Ask for a second opinion on a file of this repository, through the shim, and show what an editor would see. A slow model is
    asked something short."""
    about = "something short" if slow else f"about {REVIEWED.relative_to(ROOT)}"
    print(f"\nself-check: an editor asks {about} through the shim")
    shim = subprocess.Popen(
        [*EXAI, "shim"], stdin=subprocess.PIPE, stdout=subprocess.PIPE, cwd=ROOT, text=True
    )
    with shim:
        answer = converse(shim, slow=slow)
        shim.stdin.close()
    print("\n" + spoken(answer) + "\n")
    if answer.get("isError"):
        raise SystemExit("self-check failed; `exai doctor` tells what is wrong")
    print("self-check passed\n", flush=True)


def spoken(answer):
    """What the model said; the whole text where a tool says it otherwise."""
    structured = answer.get("structuredContent") or {}
    return structured.get("content") or "\n".join(part["text"] for part in answer["content"])


def converse(shim, *, slow):
    """initialize, then one call of `chat`; progress is printed as it comes. Returns the call's result."""
    client = {"name": "first-run", "version": "1"}
    ask(shim, 1, "initialize", protocolVersion="2025-11-25", capabilities={}, clientInfo=client)
    say(shim, {"jsonrpc": "2.0", "method": "notifications/initialized"})
    arguments = {"prompt": QUESTION, "files": [str(REVIEWED)]}
    if slow:
        arguments = {"prompt": SHORT_QUESTION}
    meta = {"progressToken": "first-run"}
    return ask(shim, 2, "tools/call", name="chat", arguments=arguments, _meta=meta)


def ask(shim, request_id, method, **params):
    say(shim, {"jsonrpc": "2.0", "id": request_id, "method": method, "params": params})
    for line in shim.stdout:
        message = msgspec.json.decode(line)
        if message.get("method") == "notifications/progress":
            print(f"  … {message['params'].get('message', '')}", flush=True)
        elif message.get("id") == request_id:
            if "result" not in message:
                raise SystemExit(f"self-check failed: {message['error']['message']}")
            return message["result"]
    raise SystemExit("self-check failed: the shim ended without an answer")


def say(shim, message):
    shim.stdin.write(msgspec.json.encode(message).decode() + "\n")
    shim.stdin.flush()


if __name__ == "__main__":
    main()
