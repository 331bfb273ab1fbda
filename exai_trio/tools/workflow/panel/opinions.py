"""What several opinions have in common and in what they differ, by their verdicts and the words of their points. Pure.

A rough measure, and said to be one: whoever reads the answers may see more.
"""

import re
from collections.abc import Mapping, Sequence
from typing import Any

from exai_trio import structs

# Two points are taken for the same if they share this part of their words.
_ALIKE = 0.5
_MOST_POINTS = 12
_MOST_CHARACTERS = 400
_VERDICT = re.compile(r"verdict\W{0,6}(for|against|mixed)\b", re.IGNORECASE)
_POINT = re.compile(r"^\s{0,6}(?:[-*+•]|\d{1,2}[.)])\s+(.+)$", re.MULTILINE)
_WORD = re.compile(r"[^\W_]{4,}")
_SAYS_NOTHING = frozenset(
    {"that", "this", "with", "from", "have", "will", "would", "should", "they", "than", "into"}
)


@structs.frozen(kw_only=True)
class Point:
    text: str
    words: frozenset[str]

    def is_like(self, other: "Point") -> bool:
        both = len(self.words & other.words)
        return both > 0 and both >= _ALIKE * min(len(self.words), len(other.words))


def compared(answers: Mapping[str, str]) -> dict[str, Any]:
    """Answers by who gave them: verdicts, what more than one says, what one alone says."""
    points = {name: _points(text) for name, text in answers.items()}
    verdicts = {name: verdict_of(text) for name, text in answers.items()}
    return {
        "verdicts": verdicts,
        "unanimous": len(answers) > 1
        and len(set(verdicts.values())) == 1
        and "" not in verdicts.values(),
        "agree_on": _shared(points),
        "differ_on": _alone(points),
        "note": "Compared by verdicts and words; read the answers for the rest.",
    }


def verdict_of(text: str) -> str:
    """for, against, mixed, or "" if none is given."""
    found = _VERDICT.search(text)
    return found.group(1).lower() if found else ""


def _points(text: str) -> list[Point]:
    found = [match.group(1).strip() for match in _POINT.finditer(text)]
    points = [Point(text=line[:_MOST_CHARACTERS], words=_words(line)) for line in found]
    return [point for point in points if point.words][:_MOST_POINTS]


def _words(text: str) -> frozenset[str]:
    return frozenset(_WORD.findall(text.lower())) - _SAYS_NOTHING


def _shared(points: Mapping[str, Sequence[Point]]) -> list[dict[str, Any]]:
    """Each shared point once, in the words of the first who makes it."""
    found: list[dict[str, Any]] = []
    told: list[Point] = []
    for name, own in points.items():
        for point in own:
            others = [other for other in points if other != name and _makes(points[other], point)]
            if others and not _makes(told, point):
                told.append(point)
                found.append({"point": point.text, "models": [name, *others]})
    return found


def _alone(points: Mapping[str, Sequence[Point]]) -> list[dict[str, Any]]:
    return [
        {"point": point.text, "models": [name]}
        for name, own in points.items()
        for point in own
        if not any(_makes(points[other], point) for other in points if other != name)
    ]


def _makes(points: Sequence[Point], point: Point) -> bool:
    return any(point.is_like(other) for other in points)
