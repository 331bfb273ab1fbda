"""Starts the daemon from a checkout, like `exai serve`; for editors and services that are set up with a script's path."""

import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

from exai_trio.cli import main  # the path comes first

if __name__ == "__main__":
    raise SystemExit(main(["serve", *sys.argv[1:]]))
