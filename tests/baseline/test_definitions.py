"""Every tool has a definition, and a definition that cannot be meant is refused in one line."""

import pytest
from baseline import definitions
from baseline.wrong import Wrong

from exai_trio.tools.registry import BUILT_IN, INTERNAL

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


@pytest.mark.parametrize("one", definitions.read(), ids=lambda one: one.name)
def test_a_definition_has_the_limits_of_its_class(one):
    """5, 30, 60 and 60 s; and tools that ask a model say how many requests that takes."""
    assert {1: 5, 2: 30, 3: 60, 4: 60}[one.kind] == one.limit
    workflow_or_files = one.kind in {3, 4}
    assert (TOOLS[one.name].asks_model == one.asks_model) or workflow_or_files


@pytest.mark.parametrize("one", definitions.read(), ids=lambda one: one.name)
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
        ("class = 1", "class = 5", "tool test_echo: class is 5; allowed: 1, 2, 3, 4"),
        ("contains", "holds", "right: unknown key 'holds'; allowed: contains, fields, lacks, matches"),
        ("limit = 5", "limmit = 5", "classes.1: unknown key 'limmit'; allowed: limit, own"),
        ("class = 1", "class = 1\nruns = 0", "runs is 0; allowed: a number from 1"),
        ('arguments = { prompt = "{marker}" }', "", "tool test_echo: needs arguments"),
        ("[[tool]]", "[tool", "cannot be read"),
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


@pytest.mark.parametrize("words", [("--tools", "chat,nothing"), ("--runs", "0"), ("--live",)])
def test_wrong_words_end_with_2(said, words):
    code, _, err = said("collect", *words)
    assert (2, True) == (code, "allowed: " in err or "needs --budget" in err)


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
