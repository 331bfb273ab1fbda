"""How a prompt is put together, without a model or a file."""

from itertools import pairwise

import pytest
from hypothesis import given, settings, strategies as st

from exai_trio.errors import PromptTooLongError
from exai_trio.providers.base import Image
from exai_trio.storage.base import Turn
from exai_trio.tools.prompts import Material, Question, Room, assemble
from exai_trio.workspace.read import Reading


def user(text, **extra):
    return Turn(role="user", text=text, tool="chat", at=1.0, extra=extra)


def model(text, name="glm-4.6", provider="glm", **extra):
    return Turn(
        role="assistant", text=text, tool="chat", model=name, provider=provider, at=1.0, extra=extra
    )


def readings(**texts):
    return {f"/{name}": Reading(path=f"/{name}", text=text) for name, text in texts.items()}


def prompt(turns=(), *, question="now?", files=(), material=None, window=None, images=()):
    return assemble(
        system="You help.",
        turns=turns,
        question=Question(text=question, files=files, images=images),
        material=material or Material(),
        answering="glm/glm-4.6",
        room=Room(context_window=window),
    )


def joined(messages):
    return "\n".join(message.text for message in messages)


def test_roles_and_order():
    """System first, then each turn under its own role, then the question."""
    messages = prompt([user("one"), model("two"), user("three"), model("four")])

    expected = [
        ("system", "You help."),
        ("user", "one"),
        ("assistant", "two"),
        ("user", "three"),
        ("assistant", "four"),
        ("user", "now?"),
    ]
    assert expected == [(message.role, message.text) for message in messages]


def test_files_stand_before_the_question():
    """A file stands between marked lines with its path, its lines numbered."""
    messages = prompt(files=["/a", "/b"], material=Material(files=readings(a="one\n", b="two")))

    expected = (
        "--- file /a ---\n   1| one\n--- end of /a ---\n\n"
        "--- file /b ---\n   1| two\n--- end of /b ---\n\nnow?"
    )
    assert expected == messages[-1].text


def test_a_file_stands_once_where_it_was_first_named():
    """A file named in several turns has its (newest) content in the first of them, its name in the others."""
    turns = [user("look", files=["/a"]), model("seen"), user("again", files=["/a"]), model("yes")]
    messages = prompt(turns, files=["/a"], material=Material(files=readings(a="NEWEST")))

    assert joined(messages).count("NEWEST") == 1
    assert "NEWEST" in messages[1].text
    assert "[file /a: shown above]" in messages[3].text
    assert "[file /a: shown above]" in messages[5].text


def test_what_could_not_be_read_is_a_note():
    """A file without text is named with the reason; its path cannot break the line."""
    gone = {"/a\nb": Reading(path="/a\nb", reason="deleted since it was given")}
    messages = prompt([user("look", files=["/a\nb"]), model("seen")], material=Material(files=gone))

    assert messages[1].text == "[file /a�b: deleted since it was given]\n\nlook"


def test_images_go_with_their_message():
    """Images of earlier turns stand where they were, if they could be read; others are noted."""
    turns = [user("see", images=["/p", "/gone"], inline_images=2), model("seen")]
    messages = prompt(turns, images=["data:new"], material=Material(images={"/p": "data:old"}))

    assert (Image(url="data:old"),) == messages[1].images
    assert "[image /gone: not shown]" in messages[1].text
    assert "2 image(s)" in messages[1].text
    assert (Image(url="data:new"),) == messages[-1].images


def test_reasoning_goes_back_to_its_own_model_only():
    """A model gets its own earlier reasoning back unchanged, never another model's."""
    turns = [
        user("a"),
        model("b", reasoning="mine"),
        user("c"),
        model("d", name="kimi-k3", provider="kimi", reasoning="theirs"),
    ]
    messages = prompt(turns)

    assert ["", "", "mine", "", "", ""] == [message.reasoning for message in messages]


def test_oldest_exchanges_are_left_out_with_a_note():
    """What does not fit goes oldest first, whole exchanges, and the note says how many and how much."""
    turns = [t for n in range(5) for t in (user(f"q{n} " + "x" * 300), model(f"a{n} " + "y" * 300))]
    messages = prompt(turns, window=800)
    said = joined(messages)

    assert "(3, about 606 tokens)" in messages[0].text
    assert [False, False, False, True, True] == [f"q{n} " in said for n in range(5)]
    assert [False, False, False, True, True] == [f"a{n} " in said for n in range(5)]
    assert messages[1].role == "user"


def test_a_file_named_in_a_left_out_turn_moves_to_the_next_that_names_it():
    """Leaving out the turn that held a file does not lose the file for a turn that names it too."""
    turns = [
        user("x" * 3000, files=["/a"]),
        model("seen"),
        user("again", files=["/a"]),
        model("yes"),
    ]
    messages = prompt(turns, window=500, material=Material(files=readings(a="CONTENT")))

    assert joined(messages).count("CONTENT") == 1
    assert "CONTENT" in messages[1].text
    assert messages[1].text.endswith("again")


def test_the_question_itself_is_never_left_out():
    """Without history to drop, a question that may fit is sent as it is: the provider counts better than we do."""
    messages = prompt([user("a"), model("b")], question="x" * 1800, window=500)

    assert ["system", "user"] == [message.role for message in messages]
    assert messages[-1].text == "x" * 1800


def test_what_cannot_possibly_fit_is_refused():
    """A question many times larger than the context is refused with both sizes, before it is sent."""
    with pytest.raises(PromptTooLongError, match="500 tokens"):
        prompt(question="x" * 9000, window=500)


EXCHANGES = st.lists(
    st.tuples(
        st.text(st.characters(codec="utf-8"), min_size=1, max_size=60),
        st.lists(st.sampled_from(["/a", "/b", "/c"]), unique=True, max_size=2),
        st.booleans(),
    ),
    min_size=1,
    max_size=6,
)
FILES = Material(files=readings(a="A-TEXT", b="B-TEXT", c="C-TEXT"))


def conversation(exchanges):
    """The messages of each call of a conversation, as it grows."""
    turns, calls = [], []
    for number, (text, files, thinks) in enumerate(exchanges):
        question = f"<q{number}>{text}"
        calls.append(prompt(tuple(turns), question=question, files=files, material=FILES))
        turns += [
            user(question, files=files),
            model(f"<a{number}>", **({"reasoning": "hm"} if thinks else {})),
        ]
    return calls


@settings(max_examples=settings.default.max_examples * 3 // 5)
@given(EXCHANGES)
def test_the_prefix_is_stable(exchanges):
    """While files stay as they are, each call begins with all messages of the call before it, unchanged."""
    calls = conversation(exchanges)

    for before, after in pairwise(calls):
        assert before == after[: len(before)]


@settings(max_examples=settings.default.max_examples * 3 // 5)
@given(EXCHANGES)
def test_every_text_appears_exactly_once(exchanges):
    """Each question, each answer and each file's content is sent once, however long the conversation."""
    said = joined(conversation(exchanges)[-1])
    named = {path for _, files, _ in exchanges for path in files}

    for number in range(len(exchanges)):
        assert said.count(f"<q{number}>") == 1
        assert said.count(f"<a{number}>") == (number < len(exchanges) - 1)
    for path in ("/a", "/b", "/c"):
        assert said.count(f"{path[1:].upper()}-TEXT") == (path in named)


@settings(max_examples=settings.default.max_examples * 3 // 5)
@given(EXCHANGES, st.integers(1, 400))
def test_trimming_keeps_the_newest_in_order(exchanges, window):
    """Whatever the context, what is kept is the newest stretch, once, roles alternating, question last."""
    turns = [
        turn
        for number, (text, files, _) in enumerate(exchanges)
        for turn in (user(f"<q{number}>{text}", files=files), model(f"<a{number}>"))
    ]
    try:
        messages = prompt(turns, window=window, material=FILES)
    except PromptTooLongError:
        return
    said = joined(messages)
    kept = [number for number in range(len(exchanges)) if f"<q{number}>" in said]

    assert list(range(len(exchanges)))[len(exchanges) - len(kept) :] == kept
    assert all(said.count(f"<q{number}>") == 1 for number in kept)
    assert ["user", "assistant"] * len(kept) + ["user"] == [m.role for m in messages[1:]]
    assert messages[-1].text == "now?"
