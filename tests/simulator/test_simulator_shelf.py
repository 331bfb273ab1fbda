"""Files: what each service takes and refuses, how it describes them. No sockets."""

import pytest

from exai_trio.simulator.server.multipart import Form, form_from
from exai_trio.simulator.uploaded_files import MB, Shelf, file_object
from exai_trio.simulator.vendors.error_bodies import Refused

BODY = (
    b'--xyz\r\nContent-Disposition: form-data; name="purpose"\r\n\r\nbatch\r\n'
    b'--xyz\r\nContent-Disposition: form-data; name="file"; filename="a b.jsonl"\r\n'
    b"Content-Type: application/octet-stream\r\n\r\nline 1\r\n--x\r\nline 2\r\n--xyz--\r\n"
)


def form(filename="notes.txt", purpose="file-extract", content=b"text"):
    return Form(fields={"purpose": purpose}, filename=filename, content=content)


def refusal(vendor, asked, held=()):
    """What is large is made when it is asked for: all of these together are hundreds of megabytes."""
    shelf = Shelf(vendor)
    for earlier in held:
        shelf.upload(earlier)
    with pytest.raises(Refused) as caught:
        shelf.upload(asked() if callable(asked) else asked)
    return caught.value.refusal.status, caught.value.refusal.body["error"]["message"]


def test_form_is_read():
    """Fields, file name and content come out as they went in."""
    expected = Form(fields={"purpose": "batch"}, filename="a b.jsonl", content=b"line 1\r\n--x\r\nline 2")  # fmt: skip

    assert form_from("multipart/form-data; boundary=xyz", BODY) == expected


@pytest.mark.parametrize("kind", ["application/json", "multipart/form-data", ""])
def test_no_form(kind):
    """What is no multipart body gives None."""
    assert form_from(kind, BODY) is None


@pytest.mark.parametrize(
    ("asked", "status", "words"),
    [
        (None, 400, "file is required"),
        (form(purpose="agent"), 400, "Invalid purpose"),
        (form(content=b""), 400, "File size is zero"),
        (lambda: form(content=b"x" * (100 * MB + 1)), 400, "max file size is 100MB"),
        (form("a.png"), 400, "text extract error"),
    ],
)
def test_kimi_refuses(asked, status, words):
    """Kimi's own words for each refusal."""
    answered, message = refusal("kimi", asked)

    assert (answered, words in message) == (status, True)


def test_kimi_counts_files():
    """The 1,001st file is refused."""
    _, message = refusal("kimi", form(), [form(f"{n}.txt") for n in range(1000)])

    assert "number of files" in message


@pytest.mark.parametrize(
    ("asked", "status", "words"),
    [
        (None, 400, "`file`"),
        (form(purpose="image"), 400, "`purpose`"),
        (form("a.txt", "batch"), 400, "not supported"),
        (form("a.exe", "agent"), 400, "not supported"),
        (lambda: form("a.txt", "agent", b"x" * (100 * MB + 1)), 435, "100MB"),
        (lambda: form("a.txt", "file-extract", b"x" * (50 * MB + 1)), 400, "50MB"),
        (lambda: form("a.py", "code-interpreter", b"x" * (20 * MB + 1)), 400, "20MB"),
    ],
)
def test_glm_refuses(asked, status, words):
    """GLM's codes differ by purpose and size."""
    answered, message = refusal("glm", asked)

    assert (answered, words in message) == (status, True)


def test_objects_differ():
    """Kimi adds a status; ids look different."""
    glm = file_object(Shelf("glm").upload(form()), "glm")
    kimi = file_object(Shelf("kimi").upload(form()), "kimi")

    assert glm.keys() == {"id", "object", "bytes", "filename", "purpose", "created_at"}
    assert kimi.keys() - glm.keys() == {"status", "status_details"}
    assert kimi["id"].startswith("file_")
    assert (kimi["bytes"], kimi["filename"]) == (4, "notes.txt")


def test_kimi_renames_a_file_of_the_same_name():
    """Two files of one name can be told apart."""
    shelf = Shelf("kimi")

    names = [shelf.upload(form()).filename for _ in range(3)]
    assert names == ["notes.txt", "notes(1).txt", "notes(2).txt"]


def test_only_pictures_can_be_shown():
    """A chat may refer to images and videos."""
    shelf = Shelf("kimi")
    picture = shelf.upload(form("a.png", "image"))
    notes = shelf.upload(form())

    assert (shelf.shows(picture.id), shelf.shows(notes.id), shelf.shows("no")) == (True, False, False)  # fmt: skip


def test_contents_are_bounded():
    """The oldest contents are forgotten; the files stay."""
    shelf = Shelf("kimi", shelf_bytes=10)
    held = [shelf.upload(form(f"{n}.txt", content=b"12345")) for n in range(4)]

    kept = [len(shelf.take(file.id).kept) for file in held]
    assert kept == [0, 0, 5, 5]


def test_binary_file_has_a_simulated_extract():
    """What is no text is described."""
    held = Shelf("kimi").upload(form("a.pdf", content=b"\xff\xfe\x00"))

    assert held.text().startswith("[simulated extract of a.pdf: 3 bytes")


@pytest.mark.parametrize(("vendor", "status"), [("glm", 404), ("kimi", 404)])
def test_deleted_files_are_gone(vendor, status):
    """A deleted file is refused like one that never was."""
    shelf = Shelf(vendor)
    held = shelf.upload(form())
    shelf.delete(held.id)

    with pytest.raises(Refused) as caught:
        shelf.take(held.id)
    assert caught.value.refusal.status == status
    assert shelf.listed() == []
