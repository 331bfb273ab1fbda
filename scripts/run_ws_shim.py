"""Starts the shim from a checkout, like `exai shim`; for editors that are configured with a script's path."""

import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

from exai_trio.cli import main  # the path comes first

if __name__ == "__main__":
    raise SystemExit(main(["shim", *sys.argv[1:]]))
