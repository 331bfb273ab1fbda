"""`python -P -m exai_trio` is `exai`."""

import os
import sys

_OURS = os.path.dirname(os.path.dirname(__file__))  # noqa: PTH120  # pathlib is not loaded yet

# Older editor configurations leave -P out, and the first place is then the folder in which the editor started us.
if not sys.flags.safe_path and sys.path[:1] == [os.getcwd()]:  # noqa: PTH109  # as above
    if sys.path[0] == _OURS:
        # A checkout that is not installed: processes of ours find it too.
        given = filter(None, [os.environ.get("PYTHONPATH")])  # noqa: TID251  # for them
        os.environ["PYTHONPATH"] = os.pathsep.join([_OURS, *given])  # noqa: TID251  # as above
    else:
        del sys.path[0]

from exai_trio.cli import main  # noqa: E402  # the path comes first

if __name__ == "__main__":
    raise SystemExit(main())
