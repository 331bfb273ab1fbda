"""How many tokens a prompt has: estimated, until the model's own counts have taught better, for every tool alike."""

from contextlib import asynccontextmanager

import attrs
import pytest
from hypothesis import given, strategies as st

from exai_trio.config import Config
from exai_trio.daemon.app import build
from exai_trio.daemon.backends import open_backends
from exai_trio.errors import StorageError
from exai_trio.providers.base import ChatRequest, Message
from exai_trio.providers.dialects.generic import plain_dialect
from exai_trio.providers.dialects.glm import glm_dialect
from exai_trio.providers.dialects.kimi import kimi_dialect
from exai_trio.providers.dialects.request_body import encoded
from exai_trio.storage.sqlite.store import open_sqlite
from exai_trio.storage.sqlite.token_ratios import MOST, MemoryRatios, SqliteRatios
from exai_trio.tools.asking.ask_model import TAKING_THINKING
from exai_trio.tools.asking.calibration import MOST_MODELS, Calibration
from exai_trio.tools.prompts import Room

LONG = "word " * 600


def learnt(*counts, estimated=1000, cached=0, calibration=None):
    """What a model's answers teach that counted these for prompts estimated alike."""
    calibration = Calibration() if calibration is None else calibration
    moved = [calibration.learn("m", estimated, count, cached) for count in counts]
    return calibration.factor("m"), moved


def test_three_answers_teach_and_one_does_not():
    """The middle one of the newest answers counts, once there are three; then the move is told, to be kept."""
    assert (1.0, [None, None]) == learnt(1500, 1500)
    assert (1.5, [None, None, 1.5]) == learnt(1500, 400, 1510)
    assert 1.5 == learnt(1500, 1500, 1500, 310, 1990)[0]


def test_small_movements_are_not_followed():
    """A factor that is nearly right stays, so that what earlier messages show of their files stays the same bytes."""
    factor, moved = learnt(1500, 1500, 1500, *[1420] * 10, *[1600] * 10)

    assert (1.5, 1) == (factor, len([each for each in moved if each is not None]))


def test_what_has_changed_is_followed():
    """A model that counts otherwise from some day on is followed within a few answers."""
    assert 0.8 == learnt(*[1500] * 20, *[800] * 5)[0]


@pytest.mark.parametrize(
    "odd",
    [
        {"counts": [100] * 9},
        {"counts": [9000] * 9},
        {"counts": [0] * 9},
        {"counts": [1500] * 9, "cached": 1501},
        {"counts": [1500] * 9, "cached": -1},
        {"counts": [150] * 9, "estimated": 100},
    ],
)
def test_odd_counts_teach_nothing(odd):
    """Far from what can be, more from the cache than there was, or a prompt too short to tell."""
    counts = odd.pop("counts")

    assert 1.0 == learnt(*counts, **odd)[0]


@given(
    st.lists(
        st.tuples(st.integers(0, 10**9), st.integers(-(10**9), 10**9), st.integers(-(10**9), 10**9))
    )
)
def test_odd_counts_never_move_it_far(samples):
    """Whatever providers claim, the factor stays within what is plausible."""
    calibration = Calibration({"m": 0.0, "n": 1e9})
    for estimated, counted, cached in samples:
        calibration.learn("m", estimated, counted, cached)

    assert 0.3 <= calibration.factor("m") <= 2.0
    assert 1.0 == calibration.factor("n")


def test_any_number_of_models_stays_bounded():
    """Names are the callers'. The one that has not changed for longest goes."""
    calibration = Calibration()
    for number in range(MOST_MODELS + 1):
        for _ in range(3):
            calibration.learn(f"m{number}", 1000, 1500)

    factors = [calibration.factor(f"m{number}") for number in range(MOST_MODELS + 1)]
    assert [1.0, *[1.5] * MOST_MODELS] == factors


SMALL = "glm-4.5v"  # 65,536 tokens, half of them for files


@pytest.fixture
def file(bench, tmp_path):
    """A file of about 25,000 estimated tokens."""
    path = tmp_path.resolve() / "a.py"
    path.write_text("word = 1\n" * 5_000)
    bench.caller.roots = (path.parent,)
    return str(path)


async def chat(bench, file):
    await bench.say(LONG, model=SMALL, files=[file])


async def expert(bench, file):
    await bench.step("debug", 1, 1, step=LONG, model=SMALL, relevant_files=[file])


async def panel(bench, file):
    await bench.step("consensus", 1, 1, step=LONG, models=[SMALL], relevant_files=[file])


async def file_tool(bench, file):
    await bench.call("smart_file_query", file_path=file, question="why?", model=SMALL)


TOOLS = [chat, expert, panel, file_tool]


@pytest.mark.parametrize("ask", TOOLS)
async def test_every_tool_learns(bench, file, ask):
    """Three answers of whichever tool teach the model's factor, which is kept for the next daemon; no other model's moves."""
    bench.gateway.counting = {SMALL: 1.5}
    for _ in range(3):
        await ask(bench, file)

    assert bench.calibration.factor(f"glm/{SMALL}") == pytest.approx(1.5, rel=0.01)
    assert await bench.ratios.all() == pytest.approx({f"glm/{SMALL}": 1.5}, rel=0.01)
    assert 1.0 == bench.calibration.factor("glm/glm-4.6")


@pytest.mark.parametrize("ask", TOOLS)
async def test_every_tool_budgets_by_what_was_learnt(bench, file, ask):
    """The same file fits a model that counts as estimated, and not one that counts half as much again."""
    await ask(bench, file)
    bench.calibration = Calibration({f"glm/{SMALL}": 1.5})
    await ask(bench, file)
    shown = ["word = 1" in request.messages[-1].text for request in bench.gateway.requests]

    assert [True, False] == shown
    assert "left out, about" in bench.gateway.requests[-1].messages[-1].text


async def test_a_model_that_counts_more_gets_less_history(bench):
    """History is left out by the model's own count, and the note gives that count."""
    again = ""
    for number in range(4):
        more = {"continuation_id": again} if again else {}
        said = await bench.say("word " * 6_000 + str(number), model=SMALL, **more)
        again = said["continuation_offer"]["continuation_id"]
    before = bench.gateway.requests[-1].messages
    bench.calibration = Calibration({f"glm/{SMALL}": 2.0})
    await bench.say("and now?", continuation_id=again)
    after = bench.gateway.requests[-1].messages

    assert 8 == len(before)
    assert 6 == len(after)
    assert "(2, about 40,0" in after[0].text


@pytest.mark.parametrize(
    "uncountable",
    [
        {"web_results": ({"title": "t", "link": "l"},)},
        {"rounds": 2},
    ],
)
async def test_what_is_in_no_estimate_teaches_nothing(bench, uncountable):
    """Results of a search, and several requests in one answer, count as input too."""
    bench.gateway.answer = uncountable
    bench.gateway.counting = {"glm-4.6": 1.5}
    for _ in range(5):
        await bench.say(LONG, model="glm-4.6")

    assert 1.0 == bench.calibration.factor("glm/glm-4.6")


@pytest.mark.parametrize(
    ("tool", "arguments"),
    [
        ("chat", {"prompt": LONG, "images": ["data:image/png;base64,iVBORw0KGgo="]}),
        (
            "kimi_chat_with_tools",
            {"messages": LONG, "tools": [{"type": "function", "function": {"name": "look_up"}}]},
        ),
    ],
)
async def test_pictures_and_tools_teach_nothing(bench, tool, arguments):
    """They are in no estimate, or only roughly."""
    bench.gateway.counting = {"kimi-k2.6": 1.5}
    for _ in range(5):
        await bench.call(tool, model="kimi-k2.6", **arguments)

    assert 1.0 == bench.calibration.factor("kimi/kimi-k2.6")


@pytest.mark.parametrize("dialect", [glm_dialect("https://x"), kimi_dialect("https://x"), plain_dialect("X")])  # fmt: skip
def test_thinking_takes_room_only_where_it_is_sent(bench, dialect):
    """Estimated is what goes to the provider: only Kimi gets a model's earlier thinking back."""
    said = Message(role="assistant", text="a", reasoning="<thought>" * 100)
    model = bench.gateway.choose("glm-4.6").model
    body = dialect.chat_body(ChatRequest(model="m", messages=(said,)), model)
    takes = dialect.title.lower() in TAKING_THINKING

    assert takes == (b"<thought>" in encoded(body))
    assert takes == (Room(takes_thinking=takes).estimate([said]) > 100)


async def test_a_store_that_fails_costs_no_answer(bench):
    """What was learnt stands for this daemon all the same."""

    class Full(MemoryRatios):
        async def keep(self, model, ratio, now):
            raise StorageError("The disk is full.")

    bench.ratios = Full()
    bench.gateway.counting = {"glm-4.6": 1.5}
    said = [await bench.say(LONG, model="glm-4.6") for _ in range(3)]

    assert "the answer" == said[-1]["content"]
    assert bench.calibration.factor("glm/glm-4.6") == pytest.approx(1.5, rel=0.01)


@asynccontextmanager
async def in_memory(_path):
    yield MemoryRatios()


@asynccontextmanager
async def in_sqlite(path):
    async with open_sqlite(path) as store:
        yield SqliteRatios(store)


BOTH = [
    pytest.param(in_memory, id="memory"),
    pytest.param(in_sqlite, id="sqlite", marks=pytest.mark.real),
]


@pytest.mark.parametrize("opened", BOTH)
async def test_factors_are_kept_newest_last_and_bounded(opened, tmp_path):
    """One for each model; of more than a store keeps the one that has not changed for longest goes."""
    async with opened(tmp_path / "exai.db") as ratios:
        await ratios.keep("b", 1.1, 1.0)
        await ratios.keep("a", 1.2, 2.0)
        await ratios.keep("b", 1.3, 3.0)
        few = list((await ratios.all()).items())
        for number in range(MOST - 1):
            await ratios.keep(f"m{number}", 1.0, 4.0)
        many = await ratios.all()

    assert [("a", 1.2), ("b", 1.3)] == few
    assert MOST == len(many)
    assert "a" not in many


async def test_a_restart_keeps_what_was_learnt(tmp_path):
    """From the file of an earlier daemon."""
    async with in_sqlite(tmp_path / "exai.db") as ratios:
        await ratios.keep("glm/glm-4.6", 1.5, 1.0)
    async with in_sqlite(tmp_path / "exai.db") as ratios:
        again = Calibration(await ratios.all())

    assert 1.5 == again.factor("glm/glm-4.6")


async def test_the_daemon_starts_with_what_an_earlier_one_learnt(tmp_path):
    """And keeps what it learns in the same file."""
    config = attrs.evolve(Config(), home=tmp_path)
    async with open_backends(config) as backends:
        first = build(config, backends, port=0)
        await first.environment.services.ratios.keep("glm/glm-4.6", 1.5, 1.0)
    async with open_backends(config) as backends:
        second = build(config, backends, port=0)
        factor = second.environment.services.calibration.factor("glm/glm-4.6")

    assert 1.5 == factor
