"""The tool lists that the package ships."""

import subprocess
import sys
from typing import get_args

import pytest

from exai_trio.config import Config, ToolProfile
from exai_trio.tools.listing_cache import shipped
from exai_trio.tools.registry import Registry


@pytest.mark.parametrize("profile", get_args(ToolProfile))
def test_what_is_shipped_is_what_is_declared(profile):
    """scripts/list_tools.py was run after the last change of a tool."""
    assert Registry.from_config(Config(tool_profile=profile)).listing() == shipped(profile)


def test_reading_it_loads_no_tool():
    """A shim that knows of no daemon need not import the tools."""
    code = "import sys, exai_trio.tools.listing_cache as s; s.shipped('full'); print('exai_trio.tools.registry' in sys.modules)"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)

    assert "False\n" == done.stdout
