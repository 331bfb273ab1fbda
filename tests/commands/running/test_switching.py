"""In a daemon no thread keeps the event loop waiting for long."""

import sys
from argparse import Namespace

from exai_trio.commands import serve
from exai_trio.commands.invocation import Started
from exai_trio.config import Config
from exai_trio.settings.load import Loaded


def test_a_thread_gives_up_the_interpreter_soon(monkeypatch, tmp_path):
    """Python's own 5 ms would be waited for after each of the loop's system calls."""
    before, seen = sys.getswitchinterval(), []
    monkeypatch.setattr(serve.trio, "run", lambda *_: seen.append(sys.getswitchinterval()))
    try:
        serve.main(
            Started(
                arguments=Namespace(replace=False),
                loaded=Loaded(config=Config(home=tmp_path), origins={}),
            )
        )
    finally:
        sys.setswitchinterval(before)

    assert len(seen) == 1
    assert seen[0] <= 0.001
