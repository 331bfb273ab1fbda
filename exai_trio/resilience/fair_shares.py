"""How a number of places is dealt among those who want some. Pure: no trio, no clock, no I/O."""

from collections.abc import Mapping


def fair_share(capacity: int, wants: Mapping[str, int], whose: str, turn: int) -> int:
    """The share of one of them: nobody gets more than it wants, and what it does not want goes to the others in equal parts. What cannot
    be divided goes to each by turns."""
    wanting = {name: want for name, want in wants.items() if want > 0}
    if not wanting:
        return 0
    most = -(-capacity // len(wanting))  # of those who want more than an equal part
    names = sorted(wanting)
    first = turn % len(names)
    by_turns = names[first:] + names[:first]
    left, shares = capacity, dict[str, int]()
    for count, name in enumerate(sorted(by_turns, key=lambda one: min(wanting[one], most))):
        shares[name] = min(wanting[name], left // (len(names) - count))
        left -= shares[name]
    return shares.get(whose, 0)
