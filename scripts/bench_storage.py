#!/usr/bin/env -S .venv/bin/python
"""What a store that is shared by way of Supabase costs beside the embedded one, on a real PostgreSQL and PostgREST of this machine.

`python scripts/bench_storage.py [--quick] [--only NAME] [--json FILE] [--check]`. Exit codes: 0 measured, 1 something could not be
measured, or with --check a goal is missed.
"""

from bench.command import main
from bench.hosted_store import chat, drain, kept, lag, start

if __name__ == "__main__":
    main(__doc__, {"kept": kept, "chat": chat, "drain": drain, "lag": lag, "start": start})
