"""`exai serve`, telling on stdout when openai is first imported: does the WebSocket listen by then, and in which thread.

Run as a child by `daemon`; EXAI_WS_PORT must name a port.
"""

import importlib.abc
import json
import os
import socket
import sys
import threading
from collections.abc import Sequence
from importlib.machinery import ModuleSpec
from types import ModuleType


class Watch(importlib.abc.MetaPathFinder):
    """Finds nothing; notes who looks for openai."""

    def find_spec(
        self, name: str, path: Sequence[str] | None, target: ModuleType | None = None
    ) -> ModuleSpec | None:
        del path, target
        if name == "openai":
            sys.meta_path.remove(self)
            aside = threading.current_thread() is not threading.main_thread()
            print(json.dumps({"listening": _is_listening(), "aside": aside}), flush=True)
        return None


def _is_listening() -> bool:
    with socket.socket() as probe:
        return probe.connect_ex(("127.0.0.1", int(os.environ["EXAI_WS_PORT"]))) == 0


if __name__ == "__main__":
    sys.meta_path.insert(0, Watch())
    from exai_trio.cli import main

    raise SystemExit(main(["serve"]))
