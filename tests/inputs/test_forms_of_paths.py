"""The forms in which people, editors and models write a path: taken where they can mean only one file, else refused in words that say why."""

from urllib.parse import quote

import pytest

from exai_trio.errors import ArgumentError, NotFoundError
from exai_trio.workspace import path_policy
from exai_trio.workspace.read import FileReader

pytestmark = pytest.mark.real

PNG = b"\x89PNG\r\n\x1a\n" + b"\0" * 20
NAME = "näme with blank #1 100%.txt"


@pytest.fixture
def root(tmp_path):
    root = tmp_path.resolve() / "ro ot"
    root.mkdir()
    (root / "a.txt").write_text("alpha")
    (root / NAME).write_text("odd name")
    (root / "p.png").write_bytes(PNG)
    return root


TAKEN = [
    "{}", " {}", "{} ", "\t{}\n", "\n\n  {}\r\n", "\u00a0{}", '"{}"', "'{}'", "`{}`", "“{}”", "‘{}’", "«{}»", "<{}>",
    ' "{}" ', '" {} "', "//{}", "/.{}", "'\"{}\"'", '"{}', "{}'",
]  # fmt: skip
URLS = [
    "file://{}", "file://localhost{}", "file:{}", "FILE://{}", "File://LocalHost{}", " file://{} ", '"file://{}"',
    "<file://{}>", "file:////{}", "file://{}#L10", "file://{}#L10-L20",
]  # fmt: skip


@pytest.mark.parametrize("name", ["a.txt", NAME])
@pytest.mark.parametrize("form", TAKEN)
async def test_what_stands_around_a_path_does_not_matter(root, form, name):
    """Blanks and quotes around a path, and a second slash before it, are not part of it."""
    (found,) = await FileReader().read([form.format(root / name)], (root,))

    assert str(root / name) == found.path
    assert found.text in {"alpha", "odd name"}


@pytest.mark.parametrize("name", ["a.txt", NAME])
@pytest.mark.parametrize("form", URLS)
async def test_a_file_url_is_the_path_it_means(root, form, name):
    """Of this machine, with or without its name, encoded as RFC 8089 has it."""
    (found,) = await FileReader().read([form.format(quote(str(root / name)))], (root,))

    assert str(root / name) == found.path


async def test_a_file_url_that_is_not_encoded_is_taken_too(root):
    """Models write blanks and letters as they are."""
    (root / "C#").mkdir()
    (root / "C#" / "ä b.cs").write_text("class")
    (found,) = await FileReader().read([f"file://{root}/C#/ä b.cs"], (root,))

    assert "class" == found.text


async def test_other_fields_take_the_same_forms(root):
    """Images, uploads and places to write to."""
    files = FileReader()
    for form in ('"{}"', " {}", "file://{}"):
        (url,) = await files.read_images([form.format(root / "p.png")], (root,))
        place = await files.find_place(form.format(root / "new.txt"), (root,))
        await files.check([form.format(root / "a.txt")], "file", (root,))
        async with files.opened(
            form.format(root / "a.txt"), (root,), lambda size, name: None
        ) as opened:
            assert 5 == opened.size
        assert url.startswith("data:image/png")
        assert (root, "new.txt") == (place.folder, place.name)


@pytest.mark.parametrize(
    "name",
    ["ends with blank ", "'quoted'", 'half"', "line\u2028two", "tab\tin", "nel\x85in", "\u00a0"],
)
async def test_a_name_that_is_really_odd_is_found(root, name):
    """A file that is there under the very name goes before what the name would be without its ends; it stays one name."""
    (root / name).write_text("really")
    (found,) = await FileReader().read([f"{root}/{name}"], (root,))
    listed = await FileReader().read([str(root)], (root,))

    assert ("really", f"{root}/{name}") == (found.text, found.path)
    assert 4 == len(listed)
    assert all("\n" not in path_policy.shown(each.path) for each in listed)


REFUSED = [
    ("C:\\Users\\me\\a.txt", "is a Windows path"),
    ("c:/Users/me/a.txt", "is a Windows path"),
    ("C:a.txt", "is a Windows path"),
    ("\\\\server\\share\\a.txt", "is a Windows path"),
    ("\\Users\\me\\a.txt", "is a Windows path"),
    ('"C:\\Users\\me\\a.txt"', "is a Windows path"),
    ("file:///C:/Users/me/a.txt", "is a Windows path"),
    ("file:///c%3A/Users/me/a.txt", "is a Windows path"),
    ("~/a.txt", "begins with ~"),
    ("~me/a.txt", "begins with ~"),
    ("~", "begins with ~"),
    ("'~/a.txt'", "begins with ~"),
    ("$HOME/a.txt", "begins with a variable"),
    ("${workspaceFolder}/a.txt", "begins with a variable"),
    ("%USERPROFILE%\\a.txt", "begins with a variable"),
    ("https://example.org/a.txt", "is a URL (https:)"),
    ("vscode-remote://wsl/home/me/a.txt", "is a URL (vscode-remote:)"),
    ("vscode://file/home/me/a.txt", "is a URL (vscode:)"),
    ("git:/home/me/a.txt", "is a URL (git:)"),
    ("file://server/share/a.txt", "is a file of another machine ('server')"),
    ("file://wsl.localhost/Ubuntu/a.txt", "is a file of another machine ('wsl.localhost')"),
    ("file://", "is a file URL without an absolute path"),
    ("file:a.txt", "is a file URL without an absolute path"),
    ("file://a.txt", "is a file URL without an absolute path"),
    ("src/a.txt", "is a relative path"),
    ("./a.txt", "is a relative path"),
    ("../a.txt", "is a relative path"),
    (".", "is a relative path"),
    ("a.txt", "is a relative path"),
    ("@a.txt", "is a relative path"),
]  # fmt: skip


@pytest.mark.parametrize(("given", "wrong"), REFUSED)
async def test_what_is_no_path_here_is_refused_saying_what_it_is(root, given, wrong):
    """The agent must not try the same again: each form is called what it is, with what to do instead."""
    with pytest.raises(ArgumentError) as refused:
        await FileReader().read([given], (root,))

    assert wrong in refused.value.message
    assert (
        "Give an absolute path inside an allowed root (EXAI_ALLOWED_ROOTS)" in refused.value.message
    )
    assert "EXAI_ALLOWED_ROOTS" == refused.value.details["setting"]


@pytest.mark.parametrize("given", ["", " ", '""', "'", "a\0b", "/a\0b", "file:///a%00b"])
async def test_what_names_nothing_is_refused(root, given):
    """Nothing, quotes around nothing, and NUL however it is written."""
    with pytest.raises(ArgumentError, match="names no file"):
        await FileReader().read([given], (root,))


@pytest.mark.parametrize(
    "form",
    [
        "file://{}/../outside.txt",
        "file://{}/%2e%2e/outside.txt",
        '"{}/../outside.txt"',
        "//{}/../outside.txt",
    ],
)
async def test_no_form_leads_out_of_the_roots(root, form):
    """A form that is taken is checked like the path that it means."""
    (root.parent / "outside.txt").write_text("OUTSIDE")
    with pytest.raises(ArgumentError, match="outside the allowed roots"):
        await FileReader().read([form.format(root)], (root,))


async def test_bytes_that_are_no_utf_8_keep_their_name(root):
    """A file URL may name what no UTF-8 can."""
    (root / "caf\udce9.txt").write_text("latin")
    (found,) = await FileReader().read([f"file://{root}/caf%E9.txt"], (root,))

    assert "latin" == found.text


async def test_a_missing_file_is_named_as_it_was_meant(root):
    """Without quotes, so that one sees where it was looked for."""
    with pytest.raises(NotFoundError) as missing:
        await FileReader().read([f'"{root}/none.txt"'], (root,))

    assert f"There is no file '{root}/none.txt'." == missing.value.message
