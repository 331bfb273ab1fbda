"""The only place where a prompt is put together: system text, earlier turns, files, question, in that order. Pure.

- Each earlier text appears exactly once, under its own role.
- A file's newest content stands once, in the first message (of those sent) that names it; elsewhere only its name.
- From turn to turn the beginning stays the same byte for byte, so that the provider's prompt cache hits, as long as no
  file changes and nothing has to be left out.
- What does not fit the model's context is left out oldest first, whole exchanges, with a note that says how much.
"""

from bisect import bisect_left
from collections.abc import Iterable, Mapping, Sequence

import attrs

from exai_trio import structs
from exai_trio.providers.base import Image, Message
from exai_trio.storage.base import Turn
from exai_trio.tools.prompts.context_window import Room
from exai_trio.workspace.path_policy import shown
from exai_trio.workspace.read import Reading
from exai_trio.workspace.token_budget import numbered, text_tokens


@structs.frozen(kw_only=True)
class Material:
    """What was read for a prompt: files by resolved path, and earlier images (data URLs) by the path they were given as."""

    files: Mapping[str, Reading] = attrs.field(factory=dict[str, Reading])
    images: Mapping[str, str] = attrs.field(factory=dict[str, str])


@structs.frozen(kw_only=True)
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
    page = _Page(
        system=system,
        exchanges=tuple(_Exchange(turns=exchange) for exchange in _exchanges(turns)),
        question=question,
        material=material,
        answering=answering,
        room=room,
    )
    if room.holds(whole := page.without(0)):
        return whole
    # What fits without so many still fits without more.
    fewest = bisect_left(
        range(1, len(page.exchanges)), 1, key=lambda count: room.holds(page.without(count))
    )
    messages = page.without(min(fewest + 1, len(page.exchanges)))
    if not room.holds(messages):
        room.check_possible(messages, answering)
    return messages


@structs.frozen(kw_only=True)
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


@structs.frozen(kw_only=True)
class _Page:
    """All that could stand in a prompt; each file is numbered once, however often it is tried what fits."""

    system: str
    exchanges: tuple[_Exchange, ...]
    question: Question
    material: Material
    answering: str
    room: Room
    blocks: dict[str, str] = attrs.field(factory=dict[str, str], init=False)
    missing: set[str] = attrs.field(factory=set[str], init=False)

    def without(self, count: int) -> tuple[Message, ...]:
        """The prompt without the oldest `count` exchanges."""
        shown_already: set[str] = set()
        messages = [Message(role="system", text=self._system(self.exchanges[:count]))]
        for turn in (turn for exchange in self.exchanges[count:] for turn in exchange.turns):
            if turn.role == "assistant":
                messages.append(_assistant(turn, self.answering))
            else:
                messages.append(self._earlier_question(turn, shown_already))
        blocks = self._file_blocks(self.question.files, shown_already)
        messages.append(
            Message(
                role="user",
                text="\n\n".join([*blocks, self.question.text]),
                images=tuple(Image(url=url) for url in self.question.images),
            )
        )
        return tuple(messages)

    def _system(self, left_out: Sequence[_Exchange]) -> str:
        if not left_out:
            return self.system
        tokens = self.room.counted(sum(exchange.tokens for exchange in left_out))
        return (
            f"{self.system}\n\n[The oldest exchanges of this conversation ({len(left_out)}, about {tokens:,} tokens)"
            " are left out because they do not fit.]"
        )

    def _earlier_question(self, turn: Turn, shown_already: set[str]) -> Message:
        files = self._file_blocks(turn.extra.get("files", ()), shown_already)
        paths, images = turn.extra.get("images", ()), self.material.images
        missing = [f"[image {shown(path)}: not shown]" for path in paths if path not in images]
        inline = turn.extra.get("inline_images", 0)
        notes = [f"[{inline} image(s) that came with this message: not kept]"] if inline else []
        return Message(
            role="user",
            text="\n\n".join([*files, *missing, *notes, turn.text]),
            images=tuple(Image(url=images[path]) for path in paths if path in images),
        )

    def _file_blocks(self, paths: Iterable[str], shown_already: set[str]) -> list[str]:
        blocks: list[str] = []
        for path in paths:
            block = self.blocks.get(path) or self._block(path)
            if path in shown_already and path not in self.missing:
                block = f"[file {shown(path)}: shown above]"
            blocks.append(block)
            shown_already.add(path)
        return blocks

    def _block(self, path: str) -> str:
        reading = self.material.files.get(path, Reading(path=path, reason="not read"))
        if reading.reason:
            self.missing.add(path)
            block = f"[file {shown(path)}: {reading.reason}]"
        else:
            block = _embedded(shown(path), reading)
        self.blocks[path] = block
        return block


def _assistant(turn: Turn, answering: str) -> Message:
    own = answering == f"{turn.provider}/{turn.model}"
    return Message(
        role="assistant", text=turn.text, reasoning=turn.extra.get("reasoning", "") if own else ""
    )


def _embedded(name: str, reading: Reading) -> str:
    remark = f" ({reading.remark})" if reading.remark else ""
    return f"--- file {name}{remark} ---\n{numbered(reading.text)}\n--- end of {name} ---"
