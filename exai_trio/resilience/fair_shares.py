"""How a number of places is dealt among those who want some. Pure: no trio, no clock, no I/O."""

from collections.abc import Mapping


def fair_share(capacity: int, wants: Mapping[str, int], whose: str, turn: int) -> int:
    """The share of one of them: nobody gets more than it wants, and what it does not want goes to the others in equal parts. What cannot
    be divided goes to each by turns."""
    wanting = sorted((want, name) for name, want in wants.items() if want > 0)
    left = capacity
    while wanting and wanting[0][0] <= left // len(wanting):
        want, name = wanting.pop(0)
        if name == whose:
            return want
        left -= want
    others = sorted(name for _, name in wanting)
    if whose not in others:
        return 0
    share, undivided = divmod(left, len(others))
    place = (others.index(whose) + turn) % len(others)
    return share + (place < undivided)
