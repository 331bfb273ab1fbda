"""Generates the tool lists that the package ships, exai_trio/tools/shipped.json; a test compares."""

from typing import get_args

import msgspec

from exai_trio.config import Config, ToolProfile
from exai_trio.tools.listing_cache import FILE
from exai_trio.tools.registry import Registry


def lists() -> bytes:
    profiles = get_args(ToolProfile)
    found = {name: Registry.from_config(Config(tool_profile=name)).listing() for name in profiles}
    return msgspec.json.encode(found) + b"\n"


if __name__ == "__main__":
    FILE.write_bytes(lists())
