"""What stands on a terminal: within its width, without debris, with echo restored; and off a terminal no escape sequence."""

import pytest

pytestmark = pytest.mark.real

WIDTHS = [40, 60, 80, 200]
ANSWER = (
    "# A plan\n\nFirst **think**, then `act`: 你好世界，这是一个很长的句子，没有空格可以换行的地方，对吧。\n\n"
    "1. one step that is described in more words than a narrow terminal holds in one line\n"
    "2. another one\n\n```python\nvalue = compute(first, second, third, fourth)  # a comment\n```\n\n"
    "| name | what it does |\n|---|---|\n| alpha | the first of all the letters there are |\n\nThat List<int> is 🎉 all.\n"
)
SAYS = f"hello [[simulate: say='{ANSWER}' piece=7]]"
COMMANDS = [
    ("--help",),
    ("ask", "--help"),
    ("call", "--help"),
    ("serve", "--help"),
    ("threads", "--help"),
    ("logs", "--help"),
    ("status",),
    ("status", "--all"),
    ("models",),
    ("tools",),
    ("tools", "--all"),
    ("threads", "list"),
    ("doctor",),
    ("config",),
    ("config", "path"),
    ("config", "--help"),
    ("providers", "--help"),
    ("providers", "test", "nobody"),
    ("providers", "remove", "nobody"),
    ("providers", "add", "glm", "--url", "http://127.0.0.1:9/v1"),
    ("logs",),
    ("ask", SAYS),
    ("call", "chat", "prompt=hello"),
    ("call", "version"),
    ("call", "nothing"),
    ("stauts",),
    ("ask", "-f", "missing.py", "what is it?"),
    ("ask", "-m", "no-such-model", "what is it?"),
]
# What these find on the machine differs, and so does what they advise.
ADVISING = [
    ("providers", "detect"),
    ("providers", "test"),
    ("init", "--dry-run", "--yes"),
]


@pytest.mark.parametrize("columns", WIDTHS)
def test_no_line_is_wider_than_the_screen(home, columns):
    """Every command, by what it writes; and the terminal is as it was before."""
    wide = {}
    for argv in [*COMMANDS, *ADVISING]:
        code, shown = home.screen(*argv, columns=columns)
        if found := shown.too_wide():
            wide[argv] = found
        assert code in {0, 1, 2}, (argv, shown.lines)

    assert {} == wide


def test_off_a_terminal_nothing_is_escaped(home):
    """Programs read it: no escape sequence, and nothing on stderr where nothing is wrong."""
    for argv in COMMANDS:
        ran = home.run(*argv)
        assert "\x1b" not in ran.stdout + ran.stderr, argv
        assert (ran.returncode == 0) == (ran.stderr == ""), (argv, ran.stderr)


@pytest.mark.parametrize("columns", WIDTHS)
def test_an_answer_is_drawn(home, columns):
    """Markdown without its marks, nothing of it lost, one line that says what it was, and no status line left."""
    code, shown = home.screen("ask", SAYS, columns=columns)
    text = " ".join(shown.lines)
    squeezed = "".join(text.split())

    assert 0 == code
    assert "# A plan" not in text
    assert "**" not in text
    assert "你好世界，这是一个很长的句子，没有空格可以换行的地方，对吧。" in squeezed
    assert "ThatList<int>is🎉all." in squeezed
    assert "compute(first,second,third,fourth)" in squeezed
    assert "exai ask -c" in " ".join(shown.lines[-3:])
    assert not [line for line in shown.lines if " s  " in line and "—" not in line]


@pytest.mark.parametrize(
    ("more", "colour", "marks"),
    [
        ({}, True, False),
        ({"NO_COLOR": "1"}, False, False),
        ({"TERM": "dumb"}, False, True),
    ],
)
def test_the_terminal_s_wishes_are_obeyed(home, more, colour, marks):
    """NO_COLOR draws without colours; a dumb terminal gets the text as it is, and no escape sequence at all."""
    _, shown = home.screen("ask", SAYS, **more)

    assert colour == ("\x1b[1" in shown.raw or "\x1b[3" in shown.raw)
    assert marks == ("**think**" in shown.raw)
    if marks:
        assert "\x1b" not in shown.raw


def test_plain_is_the_text_as_it_came(home):
    """--plain on a terminal: Markdown's marks stay, and there is no escape sequence."""
    _, shown = home.screen("ask", "--plain", SAYS)

    assert "**think**" in shown.raw
    assert "\x1b" not in shown.raw


def test_colours_can_be_forced_into_a_pipe(home):
    """FORCE_COLOR, as for `| less -R`; NO_COLOR wins."""
    assert "\x1b[" in home.run("ask", SAYS, FORCE_COLOR="1").stdout
    assert "\x1b[" not in home.run("ask", SAYS, FORCE_COLOR="1", NO_COLOR="1").stdout


def test_blocks_are_drawn_as_they_come(home):
    """The first block stands there while the rest is still being written; resizing meanwhile does no harm."""
    slow = "[[simulate: say='# Begin\n\nfirst block\n\n- second\n\nthird\n' piece=3 drip=0.15]]"
    with home.terminal("ask", slow, columns=200) as shown:
        shown.wait(lambda: "first block" in " ".join(shown.lines))
        assert "third" not in " ".join(shown.lines)
        shown.resize(40)
        assert 0 == shown.finish()

    text = " ".join(shown.lines)
    assert text.index("first block") < text.index("second") < text.index("third")
    assert not [line for line in shown.lines if "the answer is coming" in line]


def test_ctrl_c_ends_an_answer_and_keeps_what_came(home):
    """What was said stays on the screen, the call is cancelled, and the terminal is as before."""
    slow = "[[simulate: say='first block\n\nsecond block\n\nthird\n' piece=3 drip=0.2]]"
    with home.terminal("ask", slow, columns=60) as shown:
        shown.wait(lambda: "first block" in " ".join(shown.lines))
        shown.interrupt()
        code = shown.finish()

    assert 130 == code
    assert "first block" in " ".join(shown.lines)
    assert "CANCELLED" in " ".join(shown.lines)
    assert not [line for line in shown.lines if "the answer is coming" in line]
