"""`python -m exai_trio` is `exai`."""

from exai_trio.cli import main

if __name__ == "__main__":
    raise SystemExit(main())
