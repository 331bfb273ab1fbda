"""How far our estimate of tokens is from each model's own count, learnt from what answers say they used. Pure.

Until a model has answered some times, the estimate stands: it errs towards too many. What one answer says is never
believed alone, and small movements are not followed: the beginning of a conversation is to stay the same bytes.
"""

from collections import deque
from collections.abc import Mapping
from functools import partial
from statistics import median
from typing import Final, TypeVar

import attrs

from exai_trio import structs

_LEAST: Final = 200  # tokens; the fixed parts of a prompt blur shorter ones
# Outside, the two numbers count different things.
_PLAUSIBLE: Final = (0.3, 2.0)
_ENOUGH: Final = 3  # answers
_COUNTED: Final = 5  # newest answers of a model
_TOLERATED: Final = 0.1  # so far, as a share of it, a factor may be off before it moves
MOST_MODELS: Final = 256

T = TypeVar("T")
_Seen = partial(deque[float], maxlen=_COUNTED)


def _plausible(factors: Mapping[str, float]) -> dict[str, float]:
    low, high = _PLAUSIBLE
    return {model: factor for model, factor in factors.items() if low <= factor <= high}


@structs.define
class Calibration:
    """One for all calls of a daemon; `factors` are those that an earlier one learnt."""

    _factors: dict[str, float] = attrs.field(factory=dict[str, float], converter=_plausible)
    _seen: dict[str, deque[float]] = attrs.field(factory=dict[str, deque[float]], init=False)

    def factor(self, model: str) -> float:
        """The model's own tokens for each estimated one."""
        return self._factors.get(model, 1.0)

    def learn(self, model: str, estimated: int, counted: int, cached: int = 0) -> float | None:
        """A prompt estimated at so many tokens was counted by the model as so many, `cached` of them from its cache.

        Returns the model's factor if it has moved, which is then to be kept; else None.
        """
        if estimated < _LEAST or not 0 <= cached <= counted:
            return None
        ratio = counted / estimated
        if not _PLAUSIBLE[0] <= ratio <= _PLAUSIBLE[1]:
            return None
        seen = self._seen.pop(model, None) or _Seen()
        seen.append(ratio)
        _put_last(self._seen, model, seen)
        return self._moved(model, median(seen)) if len(seen) >= _ENOUGH else None

    def _moved(self, model: str, truth: float) -> float | None:
        used = self.factor(model)
        if abs(truth - used) <= _TOLERATED * used:
            return None
        self._factors.pop(model, None)
        _put_last(self._factors, model, truth)
        return truth


def _put_last(table: dict[str, T], model: str, value: T) -> None:
    """Names are the callers': the one that has not changed for longest makes room."""
    if len(table) >= MOST_MODELS:
        del table[next(iter(table))]
    table[model] = value
