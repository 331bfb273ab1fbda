"""The prompt caches: blocks for GLM, extensions for Kimi. No sockets."""

import pytest

from exai_trio.simulator.chat.prompt import prompt_from
from exai_trio.simulator.chat.prompt_cache import PrefixCache, prompt_tokens


def prompt(*texts, tools=(), effort=None):
    messages = [{"role": "user", "content": text} for text in texts]
    body = {"model": "m", "messages": messages, "tools": list(tools)}
    return prompt_from(body | ({"reasoning_effort": effort} if effort else {}))


def text(seed, tokens):
    return "".join(f"{seed}{number:03d}" for number in range(tokens))


def test_tokens_are_counted_the_same_every_time():
    """A token for four characters begun, four for each message."""
    assert prompt_tokens(prompt("12345", "1")) == (2 + 4) + (1 + 4)


@pytest.mark.parametrize("vendor", ["glm", "kimi"])
def test_first_prompt_hits_nothing(vendor):
    """A new cache knows nothing."""
    assert PrefixCache(vendor).cached_tokens("a", prompt(text("a", 2000))) == 0


def test_glm_caches_common_beginnings_in_blocks_of_64():
    """Whatever begins alike hits, as far as whole blocks reach."""
    cache = PrefixCache("glm")
    cache.cached_tokens("a", prompt(text("a", 1000) + text("b", 500)))

    hit = cache.cached_tokens("a", prompt(text("a", 1000) + text("c", 500)))

    assert hit == 1000 // 64 * 64


def test_glm_does_not_cache_short_prompts():
    """Below about 860 tokens nothing is cached."""
    cache = PrefixCache("glm")
    cache.cached_tokens("a", prompt(text("a", 800)))

    assert cache.cached_tokens("a", prompt(text("a", 800))) == 0


def test_kimi_caches_extensions_in_blocks_of_256():
    """A request that goes on from an earlier one hits."""
    cache = PrefixCache("kimi")
    cache.cached_tokens("a", prompt(text("a", 1000)))

    assert cache.cached_tokens("a", prompt(text("a", 1000), "more")) == 1004 // 256 * 256


def test_kimi_caches_nothing_but_extensions():
    """A prompt that only begins alike does not hit."""
    cache = PrefixCache("kimi")
    cache.cached_tokens("a", prompt(text("a", 1000), "one end"))

    assert cache.cached_tokens("a", prompt(text("a", 1000), "another end")) == 0


@pytest.mark.parametrize("vendor", ["glm", "kimi"])
def test_changed_tools_drop_the_cache(vendor):
    """Tools come before everything else."""
    cache = PrefixCache(vendor)
    cache.cached_tokens("a", prompt(text("a", 2000)))

    tools = [{"type": "function", "function": {"name": "f"}}]
    assert cache.cached_tokens("a", prompt(text("a", 2000), tools=tools)) == 0


def test_changed_effort_drops_kimis_cache():
    """On K3 another reasoning_effort is another prefix."""
    cache = PrefixCache("kimi")
    cache.cached_tokens("a", prompt(text("a", 2000), effort="low"))

    assert cache.cached_tokens("a", prompt(text("a", 2000), "more", effort="high")) == 0


@pytest.mark.parametrize("vendor", ["glm", "kimi"])
def test_accounts_do_not_share(vendor):
    """Another key or model hits nothing."""
    cache = PrefixCache(vendor)
    cache.cached_tokens("a", prompt(text("a", 2000)))

    assert cache.cached_tokens("b", prompt(text("a", 2000))) == 0


def test_cache_is_bounded():
    """The oldest digests go."""
    cache = PrefixCache("glm", size=100)
    for seed in "abcdef":
        cache.cached_tokens("a", prompt(text(seed, 2000)))

    assert len(cache.seen) == 100
