#!/usr/bin/env -S .venv/bin/python
"""Baselines of every tool: `scripts/baseline.py collect | compare A B | watch | versus A B | sql NAME`. Docs: docs/explanation/baselines.md."""

from baseline.command import main

if __name__ == "__main__":
    main()
