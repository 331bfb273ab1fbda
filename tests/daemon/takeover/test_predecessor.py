"""What the daemon that we replaced says of a call goes on to the call's client."""

import attrs

from exai_trio.daemon.takeover.predecessor import RemoteCall
from exai_trio.wire.messages import CallResult, Progress


@attrs.define
class Told:
    stages: list = attrs.field(factory=list)

    def repeat(self, said):
        self.stages.append((said.stage, said.message))


def progress(stage):
    return Progress(request_id="r", name="nap", t="", stage=stage, message="hard", elapsed_s=1.0)


def test_a_stage_there_is_the_stage_here():
    """As soon as somebody here waits for it."""
    remote = RemoteCall(0.0, "win", predecessor=None)
    remote.hear(progress("early"))
    remote.call = told = Told()
    remote.hear(progress("thinking"))

    assert [("thinking", "hard")] == told.stages
    assert not remote.ended.is_set()


def test_an_outcome_there_ends_it_here():
    remote = RemoteCall(0.0, "win", predecessor=None)
    outcome = CallResult(request_id="r", outputs=[])
    remote.hear(outcome)

    assert outcome is remote.heard
    assert remote.ended.is_set()
