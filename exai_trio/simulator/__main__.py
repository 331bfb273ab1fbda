"""`python -P -m exai_trio.simulator`: the simulator alone.

`exai simulate` is the same with EXAI's own command line.
"""

import argparse
from functools import partial
from pathlib import Path

import trio

from .app import DEFAULT_HOST
from .child_process import main


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -P -m exai_trio.simulator")
    parser.add_argument("--host", default=DEFAULT_HOST)
    parser.add_argument("--port", type=int, default=0, help="0: any free port")
    parser.add_argument("--until-eof", action="store_true", help="end when stdin ends")
    parser.add_argument("--request-log", type=Path, help="file for one JSON line a request")
    return parser.parse_args()


if __name__ == "__main__":
    asked = _arguments()
    run = partial(main, until_eof=asked.until_eof, request_log=asked.request_log)
    trio.run(run, asked.host, asked.port)
