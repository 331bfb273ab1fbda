"""Which way a file takes: each bound exactly, and one byte more."""

import pytest

from exai_trio.errors import ArgumentError
from exai_trio.filestore.strategy import KB, MB, Wanted, way

HALF = MB // 2
LIMITS = {"kimi": 100 * MB, "glm": 20 * MB}


def _way(size, provider="kimi", **more):
    try:
        return way(Wanted(size=size, provider=provider, limit=LIMITS[provider], **more))
    except ArgumentError as refused:
        return f"refused: {'Kimi' if 'Kimi' in refused.message else 'of any'}"


@pytest.mark.parametrize("provider", ["kimi", "glm"])
@pytest.mark.parametrize(
    ("size", "expected"),
    [
        (0, "refused: of any"), (1, "direct"), (50 * KB, "direct"), (50 * KB + 1, "direct"),
        (HALF, "direct"), (HALF + 1, "direct"), (5 * MB, "direct"), (5 * MB + 1, "gateway"),
        (20 * MB, "gateway"), (100 * MB + 1, "storage"), (512 * MB, "storage"), (512 * MB + 1, "refused: of any"),
    ],
)  # fmt: skip
def test_upload_tools_give_the_file_itself(provider, size, expected):
    """Up to 5 MB as it is, above that over the store; above 100 MB it is only stored."""
    assert expected == _way(size, provider)
    assert expected == _way(size, provider, is_text=True, fits=True)


@pytest.mark.parametrize(("size", "kimi", "glm"), [
    (20 * MB + 1, "gateway", "refused: Kimi"), (100 * MB, "gateway", "refused: Kimi"),
])  # fmt: skip
def test_glm_takes_no_more_than_its_limit(size, kimi, glm):
    assert (kimi, glm) == (_way(size), _way(size, "glm"))


@pytest.mark.parametrize(
    ("size", "fitting", "too_long"),
    [
        (1, "embed", "embed"), (50 * KB - 1, "embed", "embed"), (50 * KB, "embed", "direct"), (HALF, "embed", "direct"),
        (HALF + 1, "direct", "direct"), (5 * MB, "direct", "direct"), (5 * MB + 1, "gateway", "gateway"),
        (100 * MB, "gateway", "gateway"), (100 * MB + 1, "storage", "storage"),
    ],
)  # fmt: skip
def test_text_that_kimi_is_asked_about_goes_into_the_prompt_while_it_is_short(
    size, fitting, too_long
):
    asked = {"asked": True, "is_text": True}

    assert (fitting, too_long) == (_way(size, fits=True, **asked), _way(size, fits=False, **asked))


@pytest.mark.parametrize(
    ("size", "fitting", "too_long"),
    [
        (50 * KB - 1, "embed", "embed"), (50 * KB, "embed", "refused: Kimi"), (5 * MB, "embed", "refused: Kimi"),
        (5 * MB + 1, "refused: Kimi", "refused: Kimi"),
    ],
)  # fmt: skip
def test_glm_is_asked_about_text_that_fits(size, fitting, too_long):
    """Its chat takes no ids of files."""
    asked = {"asked": True, "is_text": True}

    assert (fitting, too_long) == (
        _way(size, "glm", fits=True, **asked), _way(size, "glm", fits=False, **asked),
    )  # fmt: skip


@pytest.mark.parametrize("size", [1, 5 * MB, 5 * MB + 1])
def test_what_is_no_text_is_never_embedded(size):
    assert _way(size, asked=True) in {"direct", "gateway"}
    assert "refused: Kimi" == _way(size, "glm", asked=True)
