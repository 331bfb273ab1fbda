"""How far our estimate of tokens is from each model's own count, learnt from what answers say they used. Pure.

Until a model has answered, the estimate stands: it errs towards too many.
"""

import attrs

_WEIGHT = 0.3  # of the newest answer
_LEAST = 200  # tokens; the fixed parts of a prompt blur shorter ones
_PLAUSIBLE = (
    0.3,
    2.0,
)  # outside, the two numbers count different things: a search's results, several rounds
_MOST_MODELS = 256


@attrs.define
class Calibration:
    """One for all calls of a daemon."""

    _factors: dict[str, float] = attrs.field(factory=dict[str, float], init=False)

    def factor(self, model: str) -> float:
        """The model's own tokens for each estimated one."""
        return self._factors.get(model, 1.0)

    def learn(self, model: str, estimated: int, counted: int) -> None:
        """A prompt estimated at so many tokens was counted by the model as so many."""
        if estimated < _LEAST or counted < 1:
            return
        seen = counted / estimated
        if not _PLAUSIBLE[0] <= seen <= _PLAUSIBLE[1]:
            return
        if model not in self._factors and len(self._factors) >= _MOST_MODELS:
            return
        known = self._factors.get(model, seen)
        self._factors[model] = known + _WEIGHT * (seen - known)
