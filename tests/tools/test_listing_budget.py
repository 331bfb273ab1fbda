"""What the tool lists cost their readers."""

import json

import pytest

from exai_trio.tools.registry import BUILT_IN, Registry

CHARACTERS_PER_TOKEN = 4


@pytest.mark.parametrize(("profile", "tokens"), [("standard", 4_000), ("full", 9_000)])
def test_a_list_stays_within_its_budget(profile, tokens):
    """As tools/list carries it: names, descriptions, schemas and annotations."""
    listing = Registry(tools=BUILT_IN, profile=profile).listing()
    text = json.dumps(listing, separators=(",", ":"), ensure_ascii=False)

    assert len(text) / CHARACTERS_PER_TOKEN < tokens
