"""What became of the older system's settings: each name is known, and none that means the same here is called foreign."""

import pytest

from exai_trio.settings.load import load
from exai_trio.settings.older_names import meant_instead, without_meaning
from exai_trio.settings.table import SETTINGS

OURS = {name for setting in SETTINGS for name in (setting.name, *setting.aliases)}


@pytest.mark.parametrize(
    ("name", "now"),
    [
        ("GLM_BASE_URL", "GLM_API_URL"),
        ("GLM_WEBSEARCH_ENGINE", "the arguments of glm_web_search"),
        ("METRICS_JSON_PORT", "HTTP on HEALTH_CHECK_PORT"),
        ("SUPABASE_SERVICE_ROLE", "SUPABASE_URL and SUPABASE_KEY, with STORAGE_BACKEND=supabase"),
        ("DATABASE_URL", ""),
        ("GLM_BASE", ""),
    ],
)
def test_what_is_meant_instead(name, now):
    """In plain words, without the marks of the page; names with a star stand for all that begin so."""
    assert now == meant_instead(name)


def test_what_means_something_here_is_not_foreign():
    """Ours are left out; the older system's have a line each, others' are only named."""
    names = ["GLM_API_KEY", "ZHIPUAI_API_KEY", "ENVIRONMENT", "KIMI_BASE_URL", "PGHOST"]

    assert (["KIMI_BASE_URL: KIMI_API_URL"], ["PGHOST"]) == without_meaning(names, OURS)


def test_a_warning_says_what_is_meant_now():
    """Where it would have said only that there is no such setting."""
    (warning,) = load({}, {"EXAI_WS_CALL_TIMEOUT": "90"}).warnings

    assert "SIMPLE_TOOL_TIMEOUT_SECS" in warning
