"""Every tool has a definition, and a definition that cannot be meant is refused in one line."""

import pytest
from baseline import definitions
from baseline.wrong import Wrong

from exai_trio.tools.registry import BUILT_IN, INTERNAL

DEFINED = definitions.read()
TOOLS = {tool.name: tool for tool in (*BUILT_IN, *INTERNAL)}
RIGHT = """
[classes]
1 = { limit = 5, own = 2.5 }
[[tool]]
name = "test_echo"
class = 1
arguments = { prompt = "{marker}" }
right = { contains = ["{marker}"] }
"""


def test_each_tool_is_defined_once_and_nothing_else_is():
    found = definitions.read(known=set(TOOLS))
    assert sorted(TOOLS) == sorted(one.name for one in found)


@pytest.mark.parametrize("one", DEFINED, ids=lambda one: one.name)
def test_a_definition_has_the_limits_of_its_class(one):
    """5, 30, 60 and 60 s; and tools that ask a model say how many requests that takes."""
    assert {1: 5, 2: 30, 3: 60, 4: 60}[one.kind] == one.limit
    workflow_or_files = one.kind in {3, 4}
    assert (TOOLS[one.name].asks_model == one.asks_model) or workflow_or_files


@pytest.mark.parametrize("one", DEFINED, ids=lambda one: one.name)
def test_no_two_runs_of_what_asks_a_provider_are_alike(one):
    """Nothing can be answered from a cache: the arguments have a word that no run had before."""
    if one.requests:
        first, second = (
            definitions.filled(one.arguments, {"marker": f"m{n}", "file": f"f{n}", "text_file": f"t{n}",
                                               "file_id": f"i{n}", "lines": 10 + n, "folder": "d", "number": n})
            for n in (1, 2)
        )  # fmt: skip
        assert first != second


@pytest.mark.parametrize(
    ("before", "after", "said"),
    [
        ('name = "test_echo"', 'name = "tset_echo"', "tool tset_echo: there is no such tool; allowed:"),
        ("arguments =", "argumens =", "tool test_echo: unknown key 'argumens'; allowed: arguments"),
        ("class = 1", "class = 5", "tool test_echo: class is 5; allowed: 1"),
        ("contains", "holds", "right: unknown key 'holds'; allowed: contains, fields, lacks, matches"),
        ("limit = 5", "limmit = 5", "classes.1: unknown key 'limmit'; allowed: limit, own"),
        ("class = 1", "class = 1\nruns = 0", "tool test_echo: runs: expected `int` >= 1"),
        ('arguments = { prompt = "{marker}" }', "", "tool test_echo: object missing required field `arguments`"),
        ("[[tool]]", "[tool", "cannot be read"),
        ("[[tool]]", "[tool]", "tool: expected `array`"),
        ("{ limit = 5, own = 2.5 }", "5", "classes.1: expected `object`"),
        ("limit = 5", "limit = nan", "tool test_echo: limit: expected `float` > 0"),
        ("limit = 5, ", "", "tool test_echo: object missing required field `limit`"),
        ("class = 1", "class = true", "class is True; allowed: 1"),
        ("class = 1", "class = 1\nruns = true", "runs: expected `int`"),
        ("class = 1", "class = 1\nrequests = { a = -1 }", "requests[...]: expected `int` >= 0"),
        ("class = 1", "class = 1\nbefore = [{}]", "before[0]: object missing required field `tool`"),
        ("class = 1", "class = 1\nbefore = 3", "before: expected `array`"),
        ("class = 1", 'class = 1\nbefore = [{ tool = "x" }]', "tool x: there is no such tool"),
        ('contains = ["{marker}"]', 'contains = "{marker}"', "right.contains: expected `array`"),
        ('contains = ["{marker}"]', 'matches = "("', "'(' is no regular expression"),
    ],
)  # fmt: skip
def test_what_cannot_be_meant_is_refused(tmp_path, before, after, said):
    path = tmp_path / "mine.toml"
    path.write_text(RIGHT.replace(before, after), encoding="utf-8")
    with pytest.raises(Wrong) as refused:
        definitions.read(path, set(TOOLS))

    assert said in str(refused.value)
    assert str(refused.value).startswith("mine.toml: ")


def test_it_ends_the_program_with_2_and_writes_nothing(tmp_path, said):
    path = tmp_path / "mine.toml"
    path.write_text(RIGHT.replace("class", "klass"), encoding="utf-8")
    code, out, err = said("collect", "--definitions", path, "--json", tmp_path / "out.json")

    assert (2, "", 1) == (code, out, err.count("\n"))
    assert [path] == list(tmp_path.iterdir())


def test_a_file_that_is_no_text_is_refused(tmp_path):
    path = tmp_path / "mine.toml"
    path.write_bytes(b"\xff\xfe")
    with pytest.raises(Wrong, match=r"^mine.toml: cannot be read: "):
        definitions.read(path)


@pytest.mark.parametrize(
    "words",
    ["collect --tools chat,nothing", "collect --tools ,", "collect --runs 0", "collect --runs x", "collect --live",
     "collect --live --budget nan", "collect --live --budget -1", "collect --delay -1", "collect --delay nan",
     "collect --url http://x/", "collect --url ws://127.0.0.1:99999/", "collect --json /no/such/folder/a.json", "collect --json /",
     "compare . HEAD --runs x", "compare . HEAD --check 0", "watch --hours nan --home /", "watch --hours 0 --home /",
     "sql cost --days nan", "sql cost --days -1", "versus glm kimi --cached 2", "versus glm kimi --tokens 0",
     "versus glm kimi --prompts 1", "versus glm kimi --plant", "versus glm kimi --seed x", "collect --nothing 1", "nothing", ""],
)  # fmt: skip
def test_wrong_words_end_with_2_in_one_line_that_names_them(said, words):
    code, _, err = said(*words.split())
    assert (2, 1, True) == (code, err.count("\n"), err.startswith("baseline: "))
    named = [word for word in words.split() if word.startswith("--") and word != "--home"]
    assert not named or named[-1] in err


PRICED = """
[[provider]]
name = "glm"
[[provider.model]]
name = "glm-4.5-flash"
price = { input = 1.0, output = 3.0 }
"""


def test_a_live_run_says_first_what_it_will_cost(said, tmp_path, monkeypatch):
    """1002 requests of 1,500 + 500 tokens; too much for the budget, so nothing is asked."""
    path = tmp_path / "providers.toml"
    path.write_text(PRICED, encoding="utf-8")
    monkeypatch.setenv("EXAI_PROVIDERS_FILE", str(path))
    code, out, err = said(
        "collect", "--live", "--tools", "chat", "--budget", "0.50", "--runs", "1000"
    )

    assert (2, "live: about 1002 requests, about 3.0060 USD\n") == (code, out)
    assert err == "baseline: --budget: 0.5 is less than this would cost; allowed: 3.0060 or more\n"


def test_what_has_no_known_price_is_asked_only_on_request(said, monkeypatch):
    monkeypatch.delenv("EXAI_PROVIDERS_FILE", raising=False)
    code, _, err = said("collect", "--live", "--tools", "kimi_chat_with_files", "--budget", "9")
    assert (2, True) == (
        code,
        "price is not known; allowed: a price in EXAI_PROVIDERS_FILE, or --unpriced" in err,
    )
