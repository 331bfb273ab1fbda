"""Bugs that are kept are noticed by the tests that they name."""

import pytest
from mutation.planted import copy_project, kept_bugs


@pytest.mark.real
@pytest.mark.timeout(120)
@pytest.mark.parametrize("bug", kept_bugs(), ids=lambda bug: bug.name)
def test_a_planted_bug_is_noticed(bug, tmp_path):
    copy_project(tmp_path)
    bug.plant(tmp_path)

    assert bug.is_noticed(tmp_path)
