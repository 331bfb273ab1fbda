"""Baselines as files: what was written is read again, and what cannot be compared is refused in one line with what is allowed."""

import json

import jsonschema
import msgspec
import pytest
from baseline import records

A = [10.0 + number / 10 for number in range(20)]


@pytest.fixture
def file(tmp_path, baseline):
    def make(name, **what):
        path = tmp_path / name
        records.write(path, baseline(**what))
        return path

    return make


def test_what_is_written_is_read_again(file, baseline):
    path = file("a.json", chat=A)
    assert baseline(chat=A) == records.read(path)


def test_the_file_is_what_its_schema_says(file):
    schema = msgspec.json.schema(records.Baseline)
    found = json.loads(file("a.json", chat=A).read_text(encoding="utf-8"))

    jsonschema.validate(found, schema)
    assert ("exai-baseline/1", "r", "here") == (
        found["schema"],
        found["revision"],
        found["machine"]["id"],
    )


def test_two_files_give_a_ratio_for_each_tool(file, said, tmp_path):
    out = tmp_path / "ratios.json"
    one, other = (
        file("a.json", chat=A, debug=A),
        file("b.json", chat=[2 * value for value in A], debug=A),
    )
    code, text, _ = said("compare", one, other, "--json", out)

    found = json.loads(out.read_text(encoding="utf-8"))["ratios"]
    assert (0, 2.0, "slower") == (code, found["chat"]["value"], found["chat"]["verdict"])
    assert found["debug"]["verdict"].startswith("the same")
    assert text.splitlines()[1].startswith("chat   2.000")


def test_more_than_a_bound_is_red(file, said):
    one, other = file("a.json", chat=A), file("b.json", chat=[2 * value for value in A])
    assert [1, 0] == [said("compare", one, other, "--check", bound)[0] for bound in ("1.3", "2.5")]


def test_two_machines_are_not_compared(file, said):
    code, _, err = said("compare", file("a.json", chat=A), file("b.json", machine="there", chat=A))
    assert (2, True) == (code, "machine is there" in err and "allowed: one machine" in err)


def test_one_run_tells_nothing(file, said):
    code, _, err = said("compare", file("a.json", chat=A[:1]), file("b.json", chat=A[:1]))
    assert (2, True) == (code, "no tool has 2 good runs in both" in err)
    assert 2 == said("compare", ".", "HEAD", "--runs", "1")[0]


@pytest.mark.parametrize(
    ("text", "why"),
    [
        (
            '{"schema": "exai-baseline/9"}',
            "schema is 'exai-baseline/9'; allowed: 'exai-baseline/1'",
        ),
        ("{}", "schema is None"),
        ("nothing", "is no baseline"),
        ('{"schema": "\udcff"}', "is no baseline"),
        ('{"schema": "exai-baseline/1", "runs": 3}', "is no baseline"),
    ],
)
def test_another_schema_is_refused(file, said, tmp_path, text, why):
    strange = tmp_path / "b.json"
    strange.write_bytes(text.encode(errors="surrogateescape"))
    code, out, err = said("compare", file("a.json", chat=A), strange)

    assert (2, "", 1) == (code, out, err.count("\n"))
    assert (True, True) == ("b.json: " in err, why in err)


def test_a_file_is_not_compared_with_a_commit(file, said):
    assert 2 == said("compare", file("a.json", chat=A), "HEAD")[0]


def test_what_is_neither_file_nor_commit_is_refused(said):
    code, _, err = said("compare", "no-such-thing", ".")
    assert (2, True) == (code, "no-such-thing: is neither a file nor a commit" in err)


def test_nothing_half_written_stays(tmp_path, said, file):
    """A place that cannot be written ends with 2, and leaves nothing beside it."""
    with pytest.raises(records.Wrong):
        records.write(tmp_path / "missing" / "a.json", records.read(file("a.json", chat=A)))
    assert ["a.json"] == [path.name for path in tmp_path.iterdir()]
