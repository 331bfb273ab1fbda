"""The first run: a daemon, one call through the shim as an editor would make it, the editor configuration, then serving."""

import argparse
import os
import signal
import subprocess
import sys
from contextlib import contextmanager
from pathlib import Path

import msgspec

ROOT = Path(__file__).resolve().parent.parent
EXAI = [sys.executable, "-P", "-m", "exai_trio"]
KEYS = ("GLM_API_KEY", "ZHIPUAI_API_KEY", "ZAI_API_KEY", "KIMI_API_KEY", "MOONSHOT_API_KEY")
QUESTION = "What does this file hold, and what would you check first in a review of it?"
REVIEWED = ROOT / "exai_trio" / "errors.py"


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--once", action="store_true", help="stop after the self-check")
    arguments = parser.parse_args()
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    choose_providers()
    with daemon() as process:
        self_check()
        subprocess.run([*EXAI, "config", "--mcp"], check=True)
        if not arguments.once:
            print("\nserving; Ctrl-C stops", flush=True)
            process.wait()


def choose_providers():
    """Without a key, and unless the user said otherwise, run against the simulator, and say so."""
    keyed = any(os.environ.get(key) for key in KEYS) or "_API_KEY=" in env_file()
    if not keyed and "EXAI_SIMULATE" not in os.environ:
        os.environ["EXAI_SIMULATE"] = "true"
        print("no provider key is set: running against the bundled simulator (EXAI_SIMULATE=true)")
        print("set GLM_API_KEY or KIMI_API_KEY to ask real models\n", flush=True)


def env_file():
    """The settings that stand in the env file, without comments."""
    try:
        lines = Path(os.environ.get("ENV_FILE", ".env")).read_text(encoding="utf-8").splitlines()
    except OSError:
        return ""
    return "\n".join(line for line in lines if not line.lstrip().startswith("#"))


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


def self_check():
    """Ask for a second opinion on a file of this repository, through the shim, and show what an editor would see."""
    print(f"\nself-check: an editor asks through the shim about {REVIEWED.relative_to(ROOT)}")
    shim = subprocess.Popen(
        [*EXAI, "shim"], stdin=subprocess.PIPE, stdout=subprocess.PIPE, cwd=ROOT, text=True
    )
    with shim:
        answer = converse(shim)
        shim.stdin.close()
    print("\n" + spoken(answer) + "\n")
    if answer.get("isError"):
        raise SystemExit("self-check failed; `exai doctor` tells what is wrong")
    print("self-check passed\n", flush=True)


def spoken(answer):
    """What the model said; the whole text where a tool says it otherwise."""
    structured = answer.get("structuredContent") or {}
    return structured.get("content") or "\n".join(part["text"] for part in answer["content"])


def converse(shim):
    """initialize, then one call of `chat`; progress is printed as it comes. Returns the call's result."""
    client = {"name": "first-run", "version": "1"}
    ask(shim, 1, "initialize", protocolVersion="2025-11-25", capabilities={}, clientInfo=client)
    say(shim, {"jsonrpc": "2.0", "method": "notifications/initialized"})
    arguments = {"prompt": QUESTION, "files": [str(REVIEWED)]}
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
