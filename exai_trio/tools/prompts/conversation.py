"""The only place where a prompt is put together: system text, earlier turns, files, question, in that order. Pure.

- Each earlier text appears exactly once, under its own role.
- A file's newest content stands once, in the first message (of those sent) that names it; elsewhere only its name.
- From turn to turn the beginning stays the same byte for byte, so that the provider's prompt cache hits, as long as no
  file changes and nothing has to be left out.
- What does not fit the model's context is left out oldest first, whole exchanges, with a note that says how much.
"""

from collections.abc import Iterable, Mapping, Sequence

import attrs

from exai_trio.errors import PromptTooLongError
from exai_trio.files.budget import numbered, text_tokens
from exai_trio.files.paths import shown
from exai_trio.files.reading import Reading
from exai_trio.providers.base import Image, Message
from exai_trio.storage.base import Turn

# No text packs more than this into a token: what is too long even so need not be sent to find out.
_MOST_CHARACTERS_PER_TOKEN = 8
_IMAGE_TOKENS = 1_500
# The share of a context that stays free for thinking and the answer.
_ANSWER_SHARE = 0.2


@attrs.frozen(kw_only=True)
class Material:
    """What was read for a prompt: files by resolved path, and earlier images (data URLs) by the path they were given as."""

    files: Mapping[str, Reading] = attrs.field(factory=dict[str, Reading])
    images: Mapping[str, str] = attrs.field(factory=dict[str, str])


@attrs.frozen(kw_only=True)
class Question:
    """The newest message: its text, the resolved paths of its files, its images as data URLs."""

    text: str
    files: Sequence[str] = ()
    images: Sequence[str] = ()


def assemble(
    *,
    system: str,
    turns: Sequence[Turn],
    question: Question,
    material: Material,
    answering: str,
    context_window: int | None,
    calibration: float = 1.0,
) -> tuple[Message, ...]:
    """The messages for the model `answering` ("provider/model"), which gets its own reasoning back and no other's.

    `calibration` is the model's own tokens for each estimated one.
    Raises: PromptTooLongError if the question alone can impossibly fit.
    """
    kept = [_Exchange(turns=exchange) for exchange in _exchanges(turns)]
    left_out: list[_Exchange] = []
    while True:
        messages = _render(
            _system(system, left_out),
            kept,
            question=question,
            material=material,
            answering=answering,
        )
        if context_window is None or estimate(messages) * calibration <= context_window * (
            1 - _ANSWER_SHARE
        ):
            return messages
        if not kept:
            _check_possible(messages, answering, context_window)
            return messages
        left_out.append(kept.pop(0))


@attrs.frozen(kw_only=True)
class _Exchange:
    """A question of the user with what was answered; left out as one."""

    turns: tuple[Turn, ...]

    @property
    def tokens(self) -> int:
        return sum(text_tokens(turn.text) for turn in self.turns)


def _exchanges(turns: Iterable[Turn]) -> list[tuple[Turn, ...]]:
    grouped: list[list[Turn]] = []
    for turn in turns:
        if turn.role == "user" or not grouped:
            grouped.append([])
        grouped[-1].append(turn)
    return [tuple(group) for group in grouped]


def _render(
    system: str,
    kept: Sequence[_Exchange],
    *,
    question: Question,
    material: Material,
    answering: str,
) -> tuple[Message, ...]:
    shown_already: set[str] = set()
    messages = [Message(role="system", text=system)]
    for turn in (turn for exchange in kept for turn in exchange.turns):
        if turn.role == "assistant":
            messages.append(_assistant(turn, answering))
        else:
            messages.append(_earlier_question(turn, material, shown_already))
    blocks = _file_blocks(question.files, material.files, shown_already)
    messages.append(
        Message(
            role="user",
            text="\n\n".join([*blocks, question.text]),
            images=tuple(Image(url=url) for url in question.images),
        )
    )
    return tuple(messages)


def _system(system: str, left_out: Sequence[_Exchange]) -> str:
    if not left_out:
        return system
    tokens = sum(exchange.tokens for exchange in left_out)
    return (
        f"{system}\n\n[The oldest exchanges of this conversation ({len(left_out)}, about {tokens:,} tokens)"
        " are left out because they do not fit.]"
    )


def _assistant(turn: Turn, answering: str) -> Message:
    own = answering == f"{turn.provider}/{turn.model}"
    return Message(
        role="assistant", text=turn.text, reasoning=turn.extra.get("reasoning", "") if own else ""
    )


def _earlier_question(turn: Turn, material: Material, shown_already: set[str]) -> Message:
    files = _file_blocks(turn.extra.get("files", ()), material.files, shown_already)
    paths = turn.extra.get("images", ())
    missing = [f"[image {shown(path)}: not shown]" for path in paths if path not in material.images]
    inline = turn.extra.get("inline_images", 0)
    notes = [f"[{inline} image(s) that came with this message: not kept]"] if inline else []
    return Message(
        role="user",
        text="\n\n".join([*files, *missing, *notes, turn.text]),
        images=tuple(Image(url=material.images[path]) for path in paths if path in material.images),
    )


def _file_blocks(
    paths: Iterable[str], files: Mapping[str, Reading], shown_already: set[str]
) -> list[str]:
    blocks: list[str] = []
    for path in paths:
        reading = files.get(path, Reading(path=path, reason="not read"))
        if path in shown_already:
            blocks.append(f"[file {shown(path)}: shown above]")
        elif reading.reason:
            blocks.append(f"[file {shown(path)}: {reading.reason}]")
        else:
            blocks.append(_embedded(shown(path), reading.text))
        shown_already.add(path)
    return blocks


def _embedded(name: str, text: str) -> str:
    return f"--- file {name} ---\n{numbered(text)}\n--- end of {name} ---"


def estimate(messages: Iterable[Message]) -> int:
    """Tokens, on the safe side until the model's own counts are known."""
    return sum(
        text_tokens(message.text)
        + text_tokens(message.reasoning)
        + len(message.images) * _IMAGE_TOKENS
        for message in messages
    )


def _check_possible(messages: Sequence[Message], answering: str, context_window: int) -> None:
    characters = sum(len(message.text) for message in messages)
    if characters // _MOST_CHARACTERS_PER_TOKEN > context_window:
        raise PromptTooLongError(
            f"The question and its files have {characters:,} characters; {answering} holds {context_window:,} tokens."
            " Name fewer or smaller files, or a model with a larger context.",
            details={"characters": characters, "context_window": context_window},
        )
