"""The parts of a long diff: told apart however its bytes come, each with a share, and counted whole."""

from itertools import pairwise

from hypothesis import given, strategies as st

from exai_trio.tools.workflow.changes.diffs import Shares, text_of

LINES = st.sampled_from(
    [b"+a\n", b"-diff --git a/x b/x\n", b" \n", b"+" + b"long " * 40 + b"\n", "+ü中\n".encode(), b"@@ -1 +1 @@\n",
     b"\\ No newline at end of file\n", b"+diff --git a/q b/q\n", b"-\xff\xfe\n"]
)  # fmt: skip
FILES = st.lists(st.lists(LINES, max_size=8), max_size=6)


def whole(files):
    return [
        b"diff --git a/f%d b/f%d\n" % (number, number) + b"".join(lines)
        for number, lines in enumerate(files)
    ]


def fed(content, cuts, most):
    shares = Shares(most)
    edges = [0, *sorted({cut % (len(content) + 1) for cut in cuts}), len(content)]
    for start, end in pairwise(edges):
        shares.feed(content[start:end])
    return shares.finished()


@given(FILES, st.lists(st.integers(0, 5_000), max_size=12))
def test_files_are_told_apart_however_the_bytes_come(files, cuts):
    """Each part is one file's, whole, with its name."""
    parts = whole(files)
    found = fed(b"".join(parts), cuts, 1_000_000)

    assert [part.path for part in found.parts] == [f"f{number}" for number in range(len(files))]
    assert [part.text for part in found.parts] == [text_of(part)[0] for part in parts]
    assert found.lines == found.shown == b"".join(parts).count(b"\n")
    assert found.cut == ()


@given(FILES, st.integers(0, 5_000), st.integers(2_000, 9_000))
def test_numbers_are_true_when_less_is_kept(files, times, most):
    """Never more than is allowed; lines are counted whole, and those that are shown are there."""
    parts = [part * (1 + times % 50) for part in whole(files)]
    found = fed(b"".join(parts), (), most)

    assert (
        sum(len(part.text.encode()) for part in found.parts) <= most * 3
    )  # U+FFFD has three bytes
    assert found.lines == b"".join(parts).count(b"\n")
    assert found.shown == found.text.count("\n")
    assert all(part.text == "" or part.text.endswith("\n") for part in found.parts)


def test_names_are_read_from_the_header():
    """Quoted, with blanks, renamed, in conflict."""
    headers = {
        "x y": b"diff --git a/x y b/x y\n",
        'q"ä\n': b'diff --git "a/q\\"\\303\\244\\n" "b/q\\"\\303\\244\\n"\n',
        "new name": b"diff --git a/old b/new name\n",
        "u.txt": b"diff --cc u.txt\n",
        " b/ b/": b"diff --git a/ b/ b/ b/ b/ b/\n",
    }
    shares = Shares(10_000)
    shares.feed(b"".join(headers.values()))

    assert list(headers) == [part.path for part in shares.finished().parts]
