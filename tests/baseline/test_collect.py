"""Tools are measured through real daemons: all of them, those that die in the middle, and those that lie."""

import json
import os
import subprocess
import sys
from functools import partial
from itertools import cycle

import pytest
import trio
from baseline import collect, definitions, records
from baseline.collect import Plan, collected
from baseline.runs import Bench
from trio_websocket import ConnectionClosed, serve_websocket

pytestmark = pytest.mark.real
PROGRAM = [sys.executable, str(records.ROOT / "scripts" / "baseline.py")]
ENVIRONMENT = {name: value for name, value in os.environ.items() if name != "EXAI_HOME"}


def run(*words, **more):
    environment = ENVIRONMENT | more
    return subprocess.run(
        [*PROGRAM, *map(str, words)],
        capture_output=True,
        text=True,
        check=False,
        timeout=300,
        env=environment,
    )


@pytest.mark.timeout(300)
def test_every_tool_is_measured_and_every_run_is_known(tmp_path):
    """By content, by the daemon's own rows and by the provider's log; the baseline is kept in the home that is named."""
    out, home = tmp_path / "a.json", tmp_path / "home"
    done = run("collect", "--runs", "1", "--json", out, "--home", home)

    found = records.read(out)
    assert (0, "") == (done.returncode, done.stderr), done.stdout
    assert [one.name for one in definitions.read()] == list(found.by_tool())
    assert all(run.ok and run.right and run.own_ms <= run.total_ms for run in found.runs)
    (chat,) = found.by_tool()["chat"]
    assert (1, True, "glm-4.5-flash") == (chat.requests, chat.simulated, chat.model)
    assert chat.first_chunk_ms < chat.total_ms
    assert min(chat.input_tokens, chat.output_tokens) > 0
    assert (home / "state" / "exai.db").is_file()


def test_a_chosen_subset_that_was_measured_is_a_success(tmp_path):
    """Each answer of the simulator comes so much later; the delay is not ours."""
    out = tmp_path / "a.json"
    done = run(
        "collect", "--tools", "test_echo,chat", "--runs", "2", "--delay", "0.2", "--json", out
    )

    assert (0, "") == (done.returncode, done.stderr)
    chats = records.read(out).by_tool()["chat"]
    assert all(run.total_ms >= 200 and run.total_ms - run.own_ms >= 200 for run in chats)
    assert [out] == list(tmp_path.iterdir())


class Killer(Bench):
    """Ends its daemon in the middle."""

    at: int = 3

    async def run(self, definition, *, counts=True):
        seen = await super().run(definition, counts=counts)
        Killer.at -= 1
        if Killer.at == 0:
            self.served.process.terminate()
            await trio.to_thread.run_sync(self.served.process.wait)
        return seen


def test_a_daemon_that_dies_costs_the_runs_that_were_lost_and_no_more(monkeypatch):
    """The next one goes on where it ended; the loss is told."""
    monkeypatch.setattr(collect, "Bench", Killer)
    monkeypatch.setattr(Killer, "at", 5)
    (echo,) = definitions.chosen(definitions.read(), "test_echo")
    found = collected(Plan((echo,), 6), None, None)

    assert 6 == len(found.runs)
    (lost,) = (run for run in found.runs if not run.ok)
    assert lost.reason.startswith("the daemon was lost: ")


async def a_liar(lies, request):
    """Takes every hello, and answers each call with the frames that the next lie makes of it."""
    socket = await request.accept()
    try:
        while True:
            frame = json.loads(await socket.get_message())
            match frame["op"]:
                case "hello":
                    answers = [
                        {"op": "hello_ack", "ok": True, "session_id": "session_1", "protocol": 2}
                    ]
                case "health":
                    answers = [{"op": "health_res", "health": {}}]
                case "call_tool":
                    asks_again = frame["name"] == "result"
                    answers = (echo if asks_again else next(lies))(frame)
                case _:
                    answers = []
            for answer in answers:
                await socket.send_message(json.dumps(answer))
    except ConnectionClosed:
        return


def answered(frame, text, **more):
    outputs = [{"type": "text", "text": text, "metadata": more.pop("metadata", {})}]
    facts = {"op": "call_tool_res", "request_id": frame["request_id"], "ok": True, "seq": 1}
    return [facts | {"outputs": outputs} | more]


def content(text, status="success"):
    return json.dumps({"status": status, "content": text})


def echo(frame):
    return answered(frame, content(frame["arguments"].get("prompt", "not kept")))


def cached(frame):
    return answered(frame, content("what somebody else asked"))


def refused(frame):
    error = {"code": "PROVIDER_ERROR", "category": "provider", "message": frame["request_id"]}
    return answered(frame, content(frame["arguments"].get("prompt", "")), ok=False, error=error)


def failed(frame):
    return answered(frame, content(frame["arguments"].get("prompt", ""), status="error"))


def handed_over(frame):
    return answered(
        frame, content(frame["arguments"].get("prompt", "")), metadata={"handle": "call_1"}
    )


def foreign(frame):
    return [*cached({"request_id": "another"}), *echo(frame)]


def empty(frame):
    return answered(frame, "", outputs=[])


def odd(frame):
    return answered(frame, "", outputs=[3, {"text": None}], usage=3, error="none")


ALL = (echo, cached, refused, failed, handed_over, foreign, empty, odd)


@pytest.mark.parametrize(
    ("lies", "runs", "why"),
    [
        ((echo,), 3, "the daemon has not written it down"),
        ((cached,), 3, "content is 'what somebody else asked'"),
        (ALL, 200, "1 frames came that answer other calls"),
    ],
    ids=["not kept", "cached", "200 of all kinds"],
)
async def test_a_daemon_that_lies_is_not_believed(tmp_path, lies, runs, why):
    """Error frames, errors in answers, cached and foreign ones, handles, and what no journal knows: no run counts, exit 1."""
    out = tmp_path / "a.json"
    async with trio.open_nursery() as serving:
        server = await serving.start(
            partial(serve_websocket, partial(a_liar, cycle(lies)), "127.0.0.1", 0, None)
        )
        url = f"ws://127.0.0.1:{server.port}/"
        words = [
            "collect",
            "--url",
            url,
            "--tools",
            "test_echo",
            "--runs",
            str(runs),
            "--json",
            str(out),
        ]
        done = await trio.run_process(
            [*PROGRAM, *words], capture_stdout=True, check=False, env=ENVIRONMENT
        )
        serving.cancel_scope.cancel()

    assert (1, True) == (done.returncode, why in done.stdout.decode())
    found = records.read(out).runs
    assert [False] * runs == [run.ok for run in found]
    assert len(set(lies) - {odd}) == len({run.reason[:14] for run in found})


def test_without_a_daemon_all_runs_are_lost(tmp_path):
    done = run("collect", "--url", "ws://127.0.0.1:9/", "--tools", "test_echo", "--runs", "2")
    assert (1, True) == (done.returncode, "no daemon answers" in done.stdout)


def test_two_contestants_are_told_apart_by_what_was_planted(tmp_path):
    """One is slower by far, and the lines say that no model was asked."""
    out = tmp_path / "v.json"
    done = run("versus", "glm", "kimi", "--prompts", "12", "--at-once", "1,4", "--plant", "kimi delay=0.4",
               "--plant", "glm faults=0.3", "--seed", "1", "--json", out)  # fmt: skip

    assert (0, "") == (done.returncode, done.stderr)
    assert all(line.startswith("simulated ") for line in done.stdout.splitlines())
    facts = json.loads(out.read_text(encoding="utf-8"))
    assert [1, 4] == [each["at_once"] for each in facts["figures"]]
    assert facts["simulated"]
    for each in facts["figures"]:
        assert {"provider"} == set(each["sides"]["glm"]["errors"])
        assert each["sides"]["kimi"]["errors"] == {}
        assert each["ratios"]["total"]["low"] > 1


@pytest.mark.parametrize(
    "words",
    [("glm", "glm"), ("glm", "nobody"), ("glm", "kimi", "--plant", "glm slow=1"), ("glm", "kimi", "--plant", "x delay=1"),
     ("glm", "kimi", "--at-once", "0"), ("glm", "kimi", "--prompts", "1"), ("glm", "kimi", "--live")],
)  # fmt: skip
def test_a_contest_that_cannot_be_meant_ends_with_2(words):
    done = run("versus", *words)
    assert (2, 1) == (done.returncode, done.stderr.count("\n"))
