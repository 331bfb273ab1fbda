"""The only place where a prompt is put together: system text, earlier turns, files, question, in that order. Pure.

- Each earlier text appears exactly once, under its own role.
- A file's newest content stands once, in the first message (of those sent) that names it; elsewhere only its name.
- From turn to turn the beginning stays the same byte for byte, so that the provider's prompt cache hits, as long as no
  file changes and nothing has to be left out.
- What does not fit the model's context is left out oldest first, whole exchanges, with a note that says how much.
"""

from collections.abc import Iterable, Mapping, Sequence

import attrs

from exai_trio.files.budget import numbered, text_tokens
from exai_trio.files.paths import shown
from exai_trio.files.reading import Reading
from exai_trio.providers.base import Image, Message
from exai_trio.storage.base import Turn
from exai_trio.tools.prompts.room import Room


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
    room: Room,
) -> tuple[Message, ...]:
    """The messages for the model `answering` ("provider/model"), which gets its own reasoning back and no other's.

    Raises: PromptTooLongError if the question alone can impossibly fit.
    """
    kept = [_Exchange(turns=exchange) for exchange in _exchanges(turns)]
    left_out: list[_Exchange] = []
    while True:
        messages = _render(
            _system(system, left_out, room),
            kept,
            question=question,
            material=material,
            answering=answering,
        )
        if room.holds(messages):
            return messages
        if not kept:
            room.check_possible(messages, answering)
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


def _system(system: str, left_out: Sequence[_Exchange], room: Room) -> str:
    if not left_out:
        return system
    tokens = room.counted(sum(exchange.tokens for exchange in left_out))
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
