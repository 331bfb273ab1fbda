"""What the reader gives for real files: text, a reason, or a refusal before a byte is read."""

import base64
import os
import socket
import threading
from pathlib import Path

import pytest
import trio

from exai_trio.errors import ArgumentError, NotFoundError
from exai_trio.workspace import images, read as reading, safe_open
from exai_trio.workspace.read import FileReader, Reading

PNG = b"\x89PNG\r\n\x1a\n" + b"\0" * 20


@pytest.fixture
def root(tmp_path):
    """An allowed root with one file, beside a secret that is outside of it."""
    root = tmp_path.resolve() / "root"
    (root / "sub").mkdir(parents=True)
    (root / "a.py").write_text("print('ä')\n", encoding="utf-8")
    (tmp_path / "secret.txt").write_text("secret")
    return root


async def read(root, *names):
    return await FileReader().read([str(root / name) for name in names], (root,))


async def test_text_is_read_whole(root):
    """A text file comes back with its resolved path and its text, an empty one with none."""
    (root / "empty").touch()
    readings = await read(root, "a.py", "empty")

    expected = (
        Reading(path=str(root / "a.py"), text="print('ä')\n"),
        Reading(path=str(root / "empty")),
    )
    assert expected == readings


async def test_the_same_file_is_read_once(root):
    """Two names of one file, through a link or `..`, are one reading."""
    (root / "link.py").symlink_to(root / "a.py")
    readings = await read(root, "a.py", "sub/../a.py", "link.py")

    assert [str(root / "a.py")] == [r.path for r in readings]


@pytest.mark.parametrize(
    "name", ["../secret.txt", "sub/../../secret.txt", "out", "outdir/secret.txt"]
)
async def test_ways_out_of_the_root_are_refused(root, name):
    """`..` and links that lead outside are refused with the setting's name; nothing of the file is told."""
    (root / "out").symlink_to(root.parent / "secret.txt")
    (root / "outdir").symlink_to(root.parent)
    with pytest.raises(ArgumentError, match="EXAI_ALLOWED_ROOTS"):
        await read(root, name)


async def test_outside_the_roots_existence_is_not_told(root):
    """The answer for a file outside the roots is the same whether it exists or not."""

    async def refusal(name):
        with pytest.raises(ArgumentError) as refused:
            await read(root, f"../{name}")
        return refused.value.message.replace(name, "NAME")

    assert await refusal("nothing.txt") == await refusal("secret.txt")


async def test_no_byte_is_read_of_what_is_refused(root, monkeypatch):
    """A refused path is never opened, and neither are the files named with it."""
    opened = []
    real_open = os.open
    monkeypatch.setattr(os, "open", lambda *a, **k: (opened.append(a[0]), real_open(*a, **k))[1])
    with pytest.raises(ArgumentError):
        await read(root, "../secret.txt", "a.py")

    assert opened == []


async def test_missing_file_is_not_found(root):
    """A file that the caller names and that is not there is NOT_FOUND."""
    with pytest.raises(NotFoundError, match=r"nothing\.py"):
        await read(root, "nothing.py")


@pytest.mark.parametrize("kind", ["FIFO", "socket", "device"])
async def test_special_files_are_refused(root, kind):
    """FIFOs, sockets and devices are refused at once, without waiting for a writer."""
    special = root / "special"
    allowed = (root,)
    if kind == "FIFO":
        os.mkfifo(special)
    elif kind == "socket":
        with socket.socket(socket.AF_UNIX) as made:
            made.bind(str(special))
    else:
        special, allowed = "/dev/zero", (root, Path("/dev"))
    with trio.fail_after(5), pytest.raises(ArgumentError, match=kind):
        await FileReader().read([str(special)], allowed)


async def test_a_link_to_a_device_is_refused(root):
    """A link inside the root does not make a device readable."""
    (root / "zero").symlink_to("/dev/zero")
    with pytest.raises(ArgumentError):
        await read(root, "zero")


async def test_a_loop_of_links_is_refused(root):
    """Links that lead nowhere end in a refusal."""
    (root / "loop").symlink_to(root / "loop")
    with pytest.raises((ArgumentError, NotFoundError)):
        await read(root, "loop")


@pytest.mark.parametrize("name", ["x" * 5000, "a.py/below", "half\ud83d"])
async def test_impossible_names_are_refused(root, name):
    """Names that no file can have are refused like any other, never a crash."""
    with pytest.raises((ArgumentError, NotFoundError)):
        await read(root, name)


@pytest.mark.parametrize(
    ("name", "content", "reason"),
    [
        ("image.png", PNG, "binary"),
        ("latin.bin", bytes(range(128, 256)) * 4, "binary"),
        ("big.log", b"x" * (reading.MAX_FILE_BYTES + 1), "larger than 1,048,576 bytes"),
    ],
)
async def test_what_is_no_prompt_text_is_named_with_its_reason(root, name, content, reason):
    """Binary and oversized files are named with the reason and never embedded."""
    (root / name).write_bytes(content)
    (found,) = await read(root, name)

    assert found.text == ""
    assert reason in found.reason


async def test_a_file_of_the_largest_size_is_read(root):
    """The limit itself is still allowed."""
    (root / "full.txt").write_bytes(b"x" * reading.MAX_FILE_BYTES)
    (found,) = await read(root, "full.txt")

    assert len(found.text) == reading.MAX_FILE_BYTES


async def test_files_over_the_total_are_named(root, monkeypatch):
    """Once the call's total is full, further files are named, and smaller ones that still fit are read."""
    monkeypatch.setattr(reading, "MAX_TOTAL_BYTES", 10)
    for name, size in [("one", 6), ("two", 6), ("three", 4)]:
        (root / name).write_text("x" * size)
    readings = await read(root, "one", "two", "three")

    assert [True, False, True] == [bool(r.text) for r in readings]
    assert "together" in readings[1].reason


async def test_an_empty_directory_is_named(root):
    """A directory that holds nothing to read is not an error."""
    (found,) = await read(root, "sub")

    assert "directory" in found.reason


async def test_a_few_bad_bytes_do_not_hide_a_text(root):
    """Text in which a few bytes are no UTF-8 is read with marks in their place, and says so; a byte order mark is dropped."""
    (root / "old.txt").write_bytes(b"\xef\xbb\xbf" + b"plain words " * 20 + b"caf\xe9")
    (found,) = await read(root, "old.txt")

    assert found.text.startswith("plain")
    assert found.text.endswith("caf�")
    assert "1 undecodable" in found.remark


async def test_what_was_found_when_a_call_came_is_read_once(root, monkeypatch):
    """A short file's text is what was looked at then; where one of them is not known, all are read."""
    files, roots = FileReader(), (root,)
    (root / "a.py").write_text("then")
    (root / "b.py").write_text("b")
    (root / "long.py").write_text("x" * 100_000)
    link, path, long = root / "link.py", str(root / "a.py"), str(root / "long.py")
    link.symlink_to(path)
    found = await files.check([str(link), long], "read", roots)
    (root / "a.py").write_text("since")

    assert {str(link): path, long: long} == found.paths
    assert ["then"] == [one.text for one in await files.read([str(link), str(link)], roots, found)]
    assert ["then"] == [one.text for one in await files.read_again([path], roots, found)]
    for given in ([path, str(root / "b.py")], [path, long]):
        assert "since" == (await files.read(given, roots, found))[0].text
        assert "since" == (await files.read_again(given, roots, found))[0].text


async def test_a_call_that_names_much_keeps_little_of_it(root):
    """Of many files that are short the first ones, and no secret of any."""
    for number in range(20):
        (root / f"{number:02}.py").write_text("x" * 10_000)
    given = [str(path) for path in sorted(root.glob("[01]*.py"))]
    found = await FileReader().check(given, "read", (root,))

    assert given == list(found.paths)
    assert given[:6] == list(found.readings)


async def test_earlier_files_become_notes(root):
    """Files of an earlier turn that are gone or outside this caller's roots are reasons; the others are read."""
    names = [str(root / "gone.py"), str(root.parent / "secret.txt"), str(root / "a.py")]
    readings = await FileReader().read_again(names, (root,))

    assert ["deleted since it was given", "not readable from here any more", ""] == [
        r.reason for r in readings
    ]
    assert readings[2].text == "print('ä')\n"


def descriptors():
    return len(list(Path("/proc/self/fd").iterdir()))


async def test_a_fifo_put_in_place_meanwhile_does_not_hang(root, monkeypatch):
    """A FIFO that replaces the file after the check is refused at once."""
    real_open = os.open

    def swap_then_open(path, flags, **more):
        if path == "a.py":
            (root / "a.py").unlink()
            os.mkfifo(root / "a.py")
        return real_open(path, flags, **more)

    monkeypatch.setattr(safe_open.os, "open", swap_then_open)
    with trio.fail_after(5), pytest.raises(ArgumentError, match="FIFO"):
        await read(root, "a.py")


async def test_no_descriptor_is_left(root):
    """Reading, refusing and failing close what they opened."""
    (root / "sub" / "fine").write_text("x")
    await read(root, "a.py")
    before = descriptors()
    for name in ("a.py", "sub", "sub/fine", "nothing", "../secret.txt"):
        try:
            await read(root, name)
        except (ArgumentError, NotFoundError):
            pass

    assert before == descriptors()


async def test_a_cancelled_reader_returns_at_once(root, monkeypatch):
    """Cancelling does not wait for a disk that hangs; the thread stops before the next file."""
    hang, entered, looked_at = threading.Event(), threading.Event(), []

    def content(resolved, most):
        looked_at.append(resolved.name)
        entered.set()
        hang.wait(5)
        return b""

    monkeypatch.setattr(safe_open, "content", content)
    (root / "b.py").touch()
    reader = FileReader()
    async with trio.open_nursery() as running:
        running.start_soon(reader.read, [str(root / "a.py"), str(root / "b.py")], (root,))
        await trio.to_thread.run_sync(entered.wait, 20)
        running.cancel_scope.cancel(reason="test")
    held = reader.limiter.borrowed_tokens
    hang.set()
    for holder in range(4):  # all tokens are free again once the thread has ended
        await reader.limiter.acquire_on_behalf_of(holder)

    assert held == 1
    assert looked_at == ["a.py"]


async def image(root, *given):
    return await FileReader().read_images(given, (root,))


@pytest.mark.parametrize(
    ("content", "kind"),
    [
        (PNG, "image/png"),
        (b"\xff\xd8\xff\xe0rest", "image/jpeg"),
        (b"GIF89a rest", "image/gif"),
        (b"RIFF\0\0\0\0WEBPVP8 ", "image/webp"),
    ],
)
async def test_images_get_the_type_of_their_bytes(root, content, kind):
    """Whatever its name or its data URL claims, an image is sent as the type that its bytes show."""
    (root / "pic.txt").write_bytes(content)
    body = base64.b64encode(content).decode()
    urls = await image(root, str(root / "pic.txt"), f"data:image/bmp;base64,{body}")

    assert (f"data:{kind};base64,{body}",) * 2 == urls


@pytest.mark.parametrize(
    "given",
    [
        "data:image/png;base64,****",
        "data:image/png;base64,ä",
        "data:image/png,rawbytes",
        "data:",
        "data:image/png;base64," + base64.b64encode(b"no image").decode(),
        "data:image/png;base64," + "A" * (images.MAX_IMAGE_BYTES * 4 // 3 + 8),
        "https://example.org/a.png",
        "file:///etc/passwd",
        "relative.png",
    ],
)
async def test_other_images_are_refused(root, given):
    """What is no image, too large, remote or relative is refused before any request, with a short message."""
    with pytest.raises(ArgumentError) as refused:
        await image(root, given)

    assert len(refused.value.message) < 400


async def test_image_files_follow_the_same_rules(root):
    """An image by path must lie inside the roots, exist and be no larger than the limit."""
    (root / "big.png").write_bytes(PNG + b"\0" * images.MAX_IMAGE_BYTES)
    for name, fault in [
        ("big.png", ArgumentError),
        ("../secret.txt", ArgumentError),
        ("a.py", ArgumentError),
        ("none.png", NotFoundError),
    ]:
        with pytest.raises(fault):
            await image(root, str(root / name))
