"""What tools that change something leave behind if they are killed at any step and run again: looked at from outside."""

import attrs
import pytest
import trio

from exai_trio.errors import ArgumentError
from exai_trio.simulator.chat.model_answer import CREATED
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
    assert upload.provider_file_id in answer.text
    return upload.provider_file_id


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


UPLOADS = {
    "kimi_upload_files": ("kimi", lambda path: {"files": [path]}),
    "glm_upload_file": ("glm", lambda path: {"file": path}),
}


@pytest.mark.parametrize("tool", sorted(UPLOADS))
async def test_an_upload_killed_at_any_step_is_there_once(works, root, tool):
    """Each run is cut at its next step, and run again as the next daemon does: the service holds one file more, which is known."""
    provider, arguments = UPLOADS[tool]
    works.clock.at = float(CREATED)
    for step in range(1, 400):
        path = root / f"file{step}.txt"
        path.write_text(f"text {step}\n")
        cut = await _cut(step, works.call, tool, **arguments(str(path)))
        await works.call(tool, **arguments(str(path)))
        assert await _named(works, provider, path.name) == 1, step
        if not cut:
            return
    pytest.fail("it does not end")


@attrs.define
class CutAfter:
    """A provider that does what it is asked; then our process is killed, before it hears of that."""

    inner: object
    scope: trio.CancelScope

    def __getattr__(self, name):
        return getattr(self.inner, name)

    async def upload_file(self, *given):
        await self.inner.upload_file(*given)
        self.scope.cancel()
        await trio.lowlevel.checkpoint()


async def _killed_after_the_upload(works, path):
    limited = works.services.gateway._limited["kimi"]
    inner = limited.provider
    with trio.CancelScope() as killed:
        limited.provider = CutAfter(inner, killed)
        await works.call("kimi_upload_files", files=[str(path)])
    limited.provider = inner
    assert killed.cancelled_caught


async def test_an_upload_whose_answer_was_lost_is_found_again(works, root):
    works.clock.at = float(CREATED)
    await _killed_after_the_upload(works, root / "a.txt")

    again = await works.call("kimi_upload_files", files=[str(root / "a.txt")])

    assert await _named(works, "kimi", "a.txt") == 1
    (known,) = await works.services.uploads.registry.of("owner").uploads(
        "kimi", works.services.gateway.account("kimi")
    )
    assert known.provider_file_id in again.text


async def test_it_is_found_also_where_the_service_has_given_it_another_name(works, root):
    works.clock.at = float(CREATED)
    await works.call("kimi_upload_files", files=[str(root / "a.txt")])
    (root / "a.txt").write_text("ALPHA text\n")
    await _killed_after_the_upload(works, root / "a.txt")

    await works.call("kimi_upload_files", files=[str(root / "a.txt")])

    assert await _named(works, "kimi", "a.txt") == 2


async def test_another_content_of_that_name_and_size_is_not_taken_for_it(works, root):
    """Nobody has begun to upload it, so nobody looks for it."""
    works.clock.at = float(CREATED)
    await _killed_after_the_upload(works, root / "a.txt")
    (root / "a.txt").write_text("ALPHA text\n")

    await works.call("kimi_upload_files", files=[str(root / "a.txt")])

    assert await _named(works, "kimi", "a.txt") == 2


async def test_two_that_could_be_it_are_left_alone(works, root):
    """Which of them it is cannot be told, so it is uploaded."""
    works.clock.at = float(CREATED)
    await _killed_after_the_upload(works, root / "a.txt")
    with (root / "a.txt").open("rb") as file:
        await works.services.gateway.ask(
            "kimi",
            lambda kimi: kimi.upload_file(root / "a.txt", "file-extract", file),
            works.caller,
        )

    await works.call("kimi_upload_files", files=[str(root / "a.txt")])

    assert await _named(works, "kimi", "a.txt") == 3


async def _named(works, provider, name):
    """How many files of that name the service holds; Kimi calls the second a(1).txt."""
    held = await works.services.gateway.ask(
        provider, lambda asked: asked.list_files(), works.caller
    )
    stem = name.removesuffix(".txt")
    return sum(file.filename.startswith((name, f"{stem}(")) for file in held)


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
