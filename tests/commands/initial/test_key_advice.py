"""What is the matter with a key, and what to do."""

import re

import pytest

from exai_trio.commands.initial.key_advice import GLM, KIMI, advice, fault_of
from exai_trio.commands.options import parser

KEY = "c4nary.0123456789"
WORLD = {GLM: "https://api.z.ai/api/paas/v4", KIMI: "https://api.moonshot.ai/v1"}
REFUSED = {
    name: f"refused the request: token invalid; check {name}, and more" for name in (GLM, KIMI)
}
EMPTY = "glm: Insufficient balance or no resource package; recharge, or use another provider"


@pytest.mark.parametrize(
    ("name", "key", "said"),
    [
        (GLM, "", "no key came"),
        (GLM, "two words", "blanks"),
        (KIMI, "sk-a\tb", "blanks"),
        (GLM, "schlüssel", "letters"),
        (GLM, "sk-abc", "KIMI_API_KEY"),
    ],
)
def test_what_cannot_be_a_key_is_said_before_it_is_tried(name, key, said):
    """One line, which does not repeat it."""
    found = fault_of(name, key)

    assert said in found
    assert "\n" not in found
    assert not key or key not in found


@pytest.mark.parametrize(("name", "key"), [(GLM, KEY), (KIMI, "sk-abc")])
def test_what_can_be_a_key_is_taken(name, key):
    """Each vendor has its own look."""
    assert "" == fault_of(name, key)


@pytest.mark.parametrize(
    ("name", "key", "url", "fault", "address"),
    [
        (GLM, KEY, WORLD[GLM], REFUSED, "https://open.bigmodel.cn/api/paas/v4"),
        (GLM, KEY, "https://open.bigmodel.cn/api/paas/v4", REFUSED, WORLD[GLM]),
        (KIMI, "sk-x", WORLD[KIMI], REFUSED, "https://api.moonshot.cn/v1"),
        (KIMI, "sk-x", "https://api.moonshot.cn/v1", REFUSED, WORLD[KIMI]),
        (KIMI, "sk-kimi-x", WORLD[KIMI], REFUSED, "https://api.kimi.com/coding/v1"),
        (GLM, KEY, WORLD[GLM], EMPTY, "https://api.z.ai/api/coding/paas/v4"),
        (
            GLM,
            KEY,
            "https://open.bigmodel.cn/api/paas/v4",
            EMPTY,
            "https://open.bigmodel.cn/api/coding/paas/v4",
        ),
    ],
)
def test_the_other_address_is_named(name, key, url, fault, address):
    """As commands that can be typed; the key is not repeated."""
    said = advice(name, key, url, fault[name] if fault is REFUSED else fault)

    assert f"_API_URL {address}`" in said
    assert key not in said
    for typed in re.findall(r"`exai ([^`]+)`", said):
        assert parser().parse_args(typed.split())


def test_other_faults_need_no_advice():
    """A network that is down says so itself; so does an account at Kimi's without money."""
    assert "" == advice(GLM, KEY, WORLD[GLM], "cannot reach api.z.ai")
    assert "" == advice(KIMI, "sk-x", WORLD[KIMI], EMPTY)
