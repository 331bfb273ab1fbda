"""What tools that change something leave behind if they are killed at any step and run again: looked at from outside."""

import attrs
import pytest
import trio

from exai_trio.errors import ArgumentError
from exai_trio.tools.registry import BUILT_IN

RUN_AGAIN = {"kimi_upload_files", "glm_upload_file", "smart_file_download"}
NOT_AGAIN = {"kimi_manage_files"}


def test_every_tool_that_changes_something_is_known_here():
    """A new one says whether it may be run twice, and gets a test of it."""
    changing = {tool.name: tool.repeatable for tool in BUILT_IN if not tool.read_only}

    assert changing == dict.fromkeys(RUN_AGAIN, True) | dict.fromkeys(NOT_AGAIN, False)


@pytest.fixture
async def held(works, root):
    """The id of a file that Kimi holds."""
    answer = await works.call("kimi_upload_files", files=[str(root / "a.txt")])
    (upload,) = await works.services.uploads.registry.of("owner").uploads(
        "kimi", works.services.gateway.account("kimi")
    )
    assert upload.file_id in answer.text
    return upload.file_id


async def test_a_download_that_is_run_again_knows_its_own_file(works, root, held):
    to = str(root / "copy.txt")
    first = await works.call("smart_file_download", file_id=held, destination=to)
    works.caller = attrs.evolve(works.caller, attempt=2)

    assert (
        await works.call("smart_file_download", file_id=held, destination=to)
    ).text == first.text
    assert _names(root) == ["a.txt", "b.pdf", "copy.txt"]


async def test_another_call_for_the_same_place_is_refused(works, root, held):
    to = str(root / "copy.txt")
    await works.call("smart_file_download", file_id=held, destination=to)

    with pytest.raises(ArgumentError, match="overwritten"):
        await works.call("smart_file_download", file_id=held, destination=to)


async def test_a_download_killed_at_any_step_leaves_all_or_nothing(works, root, held, monkeypatch):
    """Each run is cut at its next step; the run after it gives the file, whole, and nothing beside it."""
    to = root / "copy.txt"
    again = attrs.evolve(works.caller, attempt=2)
    for step in range(1, 200):
        works.caller = attrs.evolve(works.caller, attempt=1)
        cut = await _cut(step, works.call, "smart_file_download", file_id=held, destination=str(to))
        assert _names(root) in (["a.txt", "b.pdf"], ["a.txt", "b.pdf", "copy.txt"])
        assert not to.exists() or to.read_text() == "alpha text\n"
        works.caller = again
        await works.call("smart_file_download", file_id=held, destination=str(to))
        assert to.read_text() == "alpha text\n"
        to.unlink()
        if not cut:
            return
    pytest.fail("it does not end")


def _names(folder):
    return sorted(path.name for path in folder.iterdir())


async def _cut(step, call, name, **arguments):
    """Run it up to its n-th step; whether it was cut."""
    with trio.CancelScope() as scope:
        task = trio.lowlevel.current_task()
        counter = _Counter(task, step, scope)
        trio.lowlevel.add_instrument(counter)
        try:
            await call(name, **arguments)
        finally:
            trio.lowlevel.remove_instrument(counter)
    return scope.cancelled_caught


@attrs.define(eq=False)
class _Counter(trio.abc.Instrument):
    """Cancels after so many steps of one task."""

    task: trio.lowlevel.Task
    left: int
    scope: trio.CancelScope

    def after_task_step(self, task):
        if task is self.task:
            self.left -= 1
            if self.left == 0:
                self.scope.cancel()
