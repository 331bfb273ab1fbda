"""Tokens, and a prompt cache that only knows prefixes it has seen. Pure: no trio, no clock, no I/O.

A token is four characters, a message costs four more, a picture costs PICTURE. Wrong for any real model, and the same
for every run.
"""

import hashlib
from collections import OrderedDict
from collections.abc import Iterator
from typing import Literal

import attrs

from exai_trio import structs

from .prompt import Prompt, Said, rendered, rendered_tools

TOKEN_CHARS = 4
MESSAGE = 4
PICTURE = 256

GLM_BLOCK = 64
GLM_LEAST = 860
KIMI_BLOCK = 256


@structs.frozen(kw_only=True)
class Usage:
    """Tokens of one answer; `cached` is the part of `prompt` that the cache had, `reasoning` the part of `completion`."""

    prompt: int
    completion: int
    reasoning: int
    cached: int


def tokens_of(text: str) -> int:
    return -(-len(text) // TOKEN_CHARS)


def message_tokens(said: Said) -> int:
    calls = sum(tokens_of(call.name) + tokens_of(call.arguments) for call in said.calls)
    media = PICTURE * (len(said.images) + len(said.videos) + len(said.files))
    return tokens_of(said.text) + tokens_of(said.reasoning or "") + calls + media + MESSAGE


def prompt_tokens(prompt: Prompt, *, with_tools: bool = True) -> int:
    tools = tokens_of(rendered_tools(prompt)) if with_tools else 0
    return tools + sum(message_tokens(said) for said in prompt.messages)


@structs.define
class PrefixCache:
    """What one service remembers of earlier prompts: at most `size` digests, the oldest go first.

    GLM remembers blocks, so any common beginning hits. Kimi remembers whole prompts, so only a request that goes on from
    an earlier one hits. `account` keeps keys and models apart.
    """

    vendor: Literal["glm", "kimi"]
    size: int = 50_000
    seen: OrderedDict[bytes, None] = attrs.field(factory=OrderedDict[bytes, None], repr=False)

    def cached_tokens(self, account: str, prompt: Prompt) -> int:
        """Tokens of the prompt that were seen before; remembers the prompt."""
        if self.vendor == "glm":
            return self._blocks(account, prompt)
        return self._extension(account, prompt)

    def _blocks(self, account: str, prompt: Prompt) -> int:
        digests = list(_block_digests(account, prompt))
        hits = 0
        while hits < len(digests) and digests[hits] in self.seen:
            hits += 1
        self._remember(digests)
        return hits * GLM_BLOCK if prompt_tokens(prompt) >= GLM_LEAST else 0

    def _extension(self, account: str, prompt: Prompt) -> int:
        counted = 0
        hit = 0
        digest = b""
        for digest, tokens in _message_digests(account, prompt):
            counted += tokens
            if digest in self.seen:
                hit = counted
        self._remember([digest])
        return hit // KIMI_BLOCK * KIMI_BLOCK

    def _remember(self, digests: list[bytes]) -> None:
        for digest in digests:
            self.seen[digest] = None
            self.seen.move_to_end(digest)
        while len(self.seen) > self.size:
            self.seen.popitem(last=False)


def _block_digests(account: str, prompt: Prompt) -> Iterator[bytes]:
    """A digest for every full block, over everything up to its end: tools, then the messages in order."""
    text = rendered_tools(prompt) + "".join(rendered(said) for said in prompt.messages)
    chain = hashlib.sha256(account.encode("utf-8", "surrogatepass"))
    width = GLM_BLOCK * TOKEN_CHARS
    for start in range(0, len(text) - width + 1, width):
        chain.update(text[start : start + width].encode("utf-8", "surrogatepass"))
        yield chain.digest()[:12]


def _message_digests(account: str, prompt: Prompt) -> Iterator[tuple[bytes, int]]:
    """A digest up to the end of every message, with that message's tokens; effort and tools come before all."""
    head = f"{account}|{prompt.effort}|{rendered_tools(prompt)}"
    chain = hashlib.sha256(head.encode("utf-8", "surrogatepass"))
    for said in prompt.messages:
        chain.update(rendered(said).encode("utf-8", "surrogatepass"))
        yield chain.digest()[:12], message_tokens(said)
