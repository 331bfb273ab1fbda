"""The modules that these tests share are found beside them, also by the programs that they start."""

import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parent))

from hosted.fixtures import gateway, stage, started_stage  # noqa: F401  # found by the line above
