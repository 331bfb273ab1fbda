"""Words of a command line as values: a word that cannot be meant is told in one line that says what is allowed."""

import argparse
import math
import os
from pathlib import Path
from urllib.parse import urlsplit

from .wrong import Wrong


class Parser(argparse.ArgumentParser):
    """Raises Wrong in place of printing how it is used."""

    def error(self, message):
        raise Wrong(message.removeprefix("argument "))


def number(least=-math.inf, most=math.inf, *, kind=float, above=False):
    """A number of that kind from `least`, or above it, to `most`."""

    def read(text):
        try:
            value = kind(text)
        except ValueError:
            value = math.nan
        if (least < value if above else least <= value) and value <= most:
            return value
        raise argparse.ArgumentTypeError(f"{text!r} is not allowed; allowed: {allowed}")

    name = "a whole number" if kind is int else "a number"
    start = "" if least == -math.inf else f" {'above' if above else 'from'} {least:g}"
    allowed = f"{name}{start}" + ("" if most == math.inf else f" to {most:g}")
    return read


LARGEST = 1e9  # more than this is no number of anything that is measured


def whole(least):
    return number(least, LARGEST, kind=int)


def file(text):
    """A file that can be written when all is measured."""
    path = Path(text)
    if path.is_dir() or not path.parent.is_dir() or not os.access(path.parent, os.W_OK):
        raise argparse.ArgumentTypeError(
            f"{text!r} cannot be written; allowed: a file in a folder that is there"
        )
    return path


def address(text):
    """Of a WebSocket."""
    try:
        parts = urlsplit(text)
        good = parts.scheme in {"ws", "wss"} and parts.hostname and parts.port != 0
    except ValueError:
        good = False
    if good:
        return text
    raise argparse.ArgumentTypeError(f"{text!r} is no address; allowed: ws://HOST:PORT/")
