"""Starts the daemon from a checkout, like `exai serve`; for editors and services that are set up with a script's path."""

import os
import sys
from pathlib import Path

CHECKOUT = str(Path(__file__).resolve().parent.parent)
sys.path.insert(0, CHECKOUT)
# Processes of ours that this one starts are found here too.
os.environ["PYTHONPATH"] = os.pathsep.join([CHECKOUT, *filter(None, [os.getenv("PYTHONPATH")])])

from exai_trio.cli import main  # noqa: E402  # the path comes first

if __name__ == "__main__":
    raise SystemExit(main(["serve", *sys.argv[1:]]))
