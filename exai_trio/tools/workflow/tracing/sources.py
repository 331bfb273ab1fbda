"""What a source file says about itself: its definitions, whom they call, what they use and import. Pure.

One model for all languages.
"""

import attrs

from exai_trio import structs

# Of one file. What has more was generated, and is cut.
MOST_DEFINITIONS = 10_000
MOST_MENTIONS = 50_000
_LONGEST_NAME = 200
FILE = "file"  # the kind of what stands outside all definitions


@structs.frozen
class Mention:
    """A name as it is called or used somewhere: its last part, and the line."""

    name: str
    line: int


@structs.frozen(kw_only=True, eq=False)
class Definition:
    """A function, class or the like: its qualified name, its line, and what is said in it itself, not in definitions inside it."""

    name: str
    line: int
    kind: str
    calls: tuple[Mention, ...] = ()
    uses: tuple[Mention, ...] = ()

    @property
    def last(self) -> str:
        return self.name.rpartition(".")[2]


@structs.frozen(kw_only=True)
class Source:
    """One file. `fault`: why there is nothing of it. `doubt`: why this may not be all."""

    definitions: tuple[Definition, ...] = ()
    imports: tuple[str, ...] = ()
    fault: str = ""
    doubt: str = ""


@structs.define(kw_only=True)
class Drawn:
    """A definition while it is being read."""

    name: str
    line: int
    kind: str
    calls: dict[str, int] = attrs.field(factory=dict[str, int])
    uses: dict[str, int] = attrs.field(factory=dict[str, int])

    def call(self, name: str, line: int) -> None:
        self.calls.setdefault(name[:_LONGEST_NAME], line)

    def use(self, name: str, line: int) -> None:
        self.uses.setdefault(name[:_LONGEST_NAME], line)

    def finished(self, room: int) -> Definition:
        """With at most `room` mentions, calls before uses."""
        calls = _mentions(self.calls)[:room]
        uses = _mentions({n: at for n, at in self.uses.items() if n not in self.calls})
        return Definition(
            name=self.name[:_LONGEST_NAME],
            line=self.line,
            kind=self.kind,
            calls=calls,
            uses=uses[: room - len(calls)],
        )


def _mentions(found: dict[str, int]) -> tuple[Mention, ...]:
    return tuple(Mention(name, line) for name, line in found.items())


def source(drawn: list[Drawn], imports: dict[str, None], doubt: str = "") -> Source:
    """The file out of all that was drawn, up to the limits."""
    room, finished = MOST_MENTIONS, list[Definition]()
    for each in drawn[:MOST_DEFINITIONS]:
        finished.append(each.finished(room))
        room -= len(finished[-1].calls) + len(finished[-1].uses)
    if len(drawn) > MOST_DEFINITIONS or not room:
        doubt = doubt or "too long to be traced whole; only its beginning is"
    names = [name[:_LONGEST_NAME] for name in imports]
    return Source(definitions=tuple(finished), imports=tuple(names[:MOST_DEFINITIONS]), doubt=doubt)
