"""One setting alone never contradicts another's default from below."""

import pytest

from exai_trio.config import Config
from exai_trio.settings.load import load
from exai_trio.settings.rules import BOUNDED
from exai_trio.settings.table import SETTINGS

NAMES = {setting.field: setting.name for setting in SETTINGS}
PAIRS = [(field, bound) for field, bound, _ in BOUNDED]


def text(value):
    return f"{value:g}" if isinstance(value, float) else str(value)


@pytest.mark.parametrize(("field", "bound"), PAIRS)
def test_a_bound_that_is_lowered_alone_lowers_what_it_bounds(field, bound):
    """MAX_CONNECTIONS=5 starts, with five for each address, and so for every pair of settings."""
    low = type(getattr(Config(), bound))(getattr(Config(), field) / 2)
    loaded = load({}, {NAMES[bound]: text(low)})

    assert () == loaded.faults
    assert (low, low) == (getattr(loaded.config, field), getattr(loaded.config, bound))


@pytest.mark.parametrize(("field", "bound"), PAIRS)
def test_two_settings_that_contradict_each_other_are_refused(field, bound):
    """What was asked for is not quietly changed; the refusal names both."""
    low = type(getattr(Config(), bound))(getattr(Config(), field) / 2)
    same = text(getattr(Config(), field))
    (fault,) = load({}, {NAMES[bound]: text(low), NAMES[field]: same}).faults

    assert NAMES[field] == fault.variable
    assert f"at most {NAMES[bound]} ({text(low)})" == fault.allowed
