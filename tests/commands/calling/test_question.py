"""What is asked: words, what is piped in, files by the paths of the shell."""

import os
from pathlib import Path

import pytest

from exai_trio.commands.calling import output_file, question, shell_paths
from exai_trio.commands.calling.key_value import WordError
from exai_trio.commands.calling.piped_input import PipedInput
from exai_trio.tools.registry import BUILT_IN


@pytest.mark.parametrize(
    ("words", "piped", "text"),
    [
        (["why", "so?"], None, "why so?"),
        ([], "a diff\n", "a diff"),
        (["review"], "a diff\n", "review\n\na diff"),
        (["review"], "", "review"),
        (["review"], "\n\n  indented\n", "review\n\n  indented"),
    ],
)
def test_words_and_what_is_piped_in_are_joined(words, piped, text):
    """The question stands above, and neither is dropped."""
    assert text == question.joined(words, piped)


@pytest.mark.parametrize("piped", [None, "", " \n"])
def test_nothing_is_no_question(piped):
    """It is said before anything is sent."""
    with pytest.raises(WordError, match="no question"):
        question.joined([], piped)


def test_files_are_the_shells(tmp_path, monkeypatch):
    """Relative to the working directory, ~ the user's home; pictures go where pictures go."""
    monkeypatch.setenv("HOME", str(tmp_path))
    for name in ("a.py", "b.PNG"):
        (tmp_path / name).write_text("x")

    files, pictures = question.found(["a.py", "./b.PNG", "~/a.py", "."], str(tmp_path))
    assert [str(tmp_path / "a.py"), str(tmp_path / "a.py"), str(tmp_path)] == files
    assert [str(tmp_path / "b.PNG")] == pictures


def test_a_file_that_is_not_there_is_named_with_the_nearest(tmp_path):
    """Nothing was sent yet."""
    (tmp_path / "worker.py").write_text("x")

    with pytest.raises(WordError, match=r"did you mean .*worker\.py"):
        question.found(["worcer.py"], str(tmp_path))


def test_what_is_named_may_be_read():
    """The working directory, and what lies outside of it."""
    assert ("/p", "/q/x") == shell_paths.roots("/p", ["/p/a", "/q/x", "/q/x", "/p"])
    assert ("/p", "/pq") == shell_paths.roots("/p", ["/pq"])


def test_every_path_of_every_tool_is_known():
    """What the shell anchors is what tools take as paths."""
    paths = {name for tool in BUILT_IN for name in tool.paths}

    assert paths == shell_paths.PATHS


def test_urls_and_data_stay():
    """They are no paths of this machine."""
    given = {"images": ["data:image/png;base64,x", "a.png"], "path": "."}

    assert {"images": ["data:image/png;base64,x", "/p/a.png"], "path": "/p"} == (
        shell_paths.anchored(given, "/p")
    )


def piped(data: bytes) -> PipedInput:
    reading, writing = os.pipe()
    os.write(writing, data)
    os.close(writing)
    return PipedInput(descriptor=reading, note=lambda _: None)


@pytest.mark.parametrize("data", [b"\xff\xfe\x00x", b"PK\x00\x03"])
def test_what_is_no_text_is_refused(data):
    """With what to do instead."""
    with pytest.raises(WordError, match="-f"):
        piped(data).read(100)


def test_what_does_not_end_is_not_read_for_ever():
    """More than the daemon takes is refused once so much has come."""
    with pytest.raises(WordError, match="piped in"):
        piped(b"y\n" * 100).read(50)


def test_text_is_read_to_its_end():
    """A byte order mark is no part of it."""
    given = piped(b"\xef\xbb\xbfone\ntwo\n")

    assert given.is_given()
    assert "one\ntwo\n" == given.read(100)


def test_a_descriptor_that_is_closed_is_nothing():
    """Nothing is piped in."""
    reading, writing = os.pipe()
    os.close(reading)
    os.close(writing)

    assert not PipedInput(descriptor=reading, note=print).is_given()


def test_a_device_is_nothing():
    """`< /dev/null` leaves stdin out."""
    with Path(os.devnull).open() as null:
        assert not PipedInput(descriptor=null.fileno(), note=print).is_given()


@pytest.mark.real
def test_who_waits_is_told_for_what():
    """A pipe that stays open and silent."""
    reading, writing = os.pipe()
    told = []

    def note(text):
        told.append(text)
        os.write(writing, b"x")
        os.close(writing)

    assert "x" == PipedInput(descriptor=reading, note=note).read(10)
    assert ["exai: waiting for the end of stdin; `< /dev/null` leaves it out"] == told


def test_where_no_answer_could_be_written_none_is_asked_for(tmp_path):
    """A directory, or one that is missing."""
    with pytest.raises(WordError, match="is a directory"):
        output_file.check(tmp_path, ".")
    with pytest.raises(WordError, match="make it first"):
        output_file.check(tmp_path / "gone" / "x.md", "gone/x.md")
    output_file.check(tmp_path / "x.md", "x.md")


def test_a_link_is_followed_and_permissions_stay(tmp_path):
    """The file is replaced, not the link to it."""
    file, link = tmp_path / "a.md", tmp_path / "link"
    file.write_text("old")
    file.chmod(0o640)
    link.symlink_to(file)
    output_file.write(link, "new")

    assert link.is_symlink()
    assert ("new\n", 0o640) == (file.read_text(), file.stat().st_mode & 0o777)
