"""`python -P -m exai_trio` is `exai`."""

import os
import sys

# Older editor configurations leave -P out, and the first place is then the folder in which the editor started us.
_OURS = os.path.dirname(os.path.dirname(__file__))  # noqa: PTH120  # pathlib is not loaded yet
if not sys.flags.safe_path and sys.path[:1] == [os.getcwd()] != [_OURS]:  # noqa: PTH109  # as above
    del sys.path[0]

from exai_trio.cli import main  # noqa: E402  # the path comes first

if __name__ == "__main__":
    raise SystemExit(main())
