"""Which paths may be read, decided without touching a file."""

from pathlib import Path

import pytest
from hypothesis import given, strategies as st

from exai_trio.errors import ArgumentError
from exai_trio.workspace import path_policy

ROOTS = (Path("/home/dev/project"), Path("/srv/shared"))


@pytest.mark.parametrize("path", ["a.py", "./a.py", "../a.py", "~/a.py", ".", "C:\\x"])
def test_relative_paths_are_refused_naming_the_setting(path):
    """A path that is not absolute is refused, and the message says which setting and what to do."""
    with pytest.raises(ArgumentError, match="EXAI_ALLOWED_ROOTS") as refused:
        path_policy.parse(path)

    assert refused.value.details["path"] == path


@pytest.mark.parametrize("path", ["", "  ", "/home/dev/project/a\0.py"])
def test_what_is_no_path_is_refused(path):
    """Nothing, blanks and NUL characters name no file."""
    with pytest.raises(ArgumentError):
        path_policy.parse(path)


@pytest.mark.parametrize("path", ["/home/dev/project", "/home/dev/project/a/b.py", "/srv/shared/x"])
def test_inside_a_root_is_allowed(path):
    """A root itself and all below any of the roots may be read."""
    path_policy.check_inside(path, Path(path), ROOTS)


@pytest.mark.parametrize(
    "path", ["/home/dev", "/home/dev/project2/a.py", "/home/dev/project.bak", "/etc/passwd", "/"]
)
def test_outside_all_roots_is_refused_naming_the_setting(path):
    """A neighbour whose name merely begins like a root is outside, like everything else."""
    with pytest.raises(ArgumentError, match="EXAI_ALLOWED_ROOTS"):
        path_policy.check_inside(path, Path(path), ROOTS)


def test_without_roots_nothing_is_allowed():
    """No root set means no file, and the message says so."""
    with pytest.raises(ArgumentError, match="none is set"):
        path_policy.check_inside("/a", Path("/a"), ())


@given(st.text())
def test_shown_paths_are_short_single_lines(text):
    """However odd a path is, a message or prompt shows it as one printable line of bounded length."""
    shown = path_policy.shown(text)

    assert len(shown) <= 200
    assert all(c.isprintable() for c in shown)
