"""The hosted store of the storage tests, for the commands that look after it."""

import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[2] / "storage"))

from hosted.fixtures import gateway, stage, started_stage  # noqa: F401  # found by the line above
