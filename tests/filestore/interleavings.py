"""Every order in which actors may go on, be killed, and time may pass, to a stated depth: states that were seen are not gone into again.

A state is reached by its schedule from the beginning, so nothing has to be copied but the schedule.
"""

from collections import deque
from contextlib import closing

import attrs
from stepped import World, clean, finish

LEASE_PASSES_S = 61.0


@attrs.frozen
class Story:
    """`actors` are functions of the world that give coroutines, by name. So many of them may be killed, and so often a minute may pass,
    at any step. What has to be true is said by `check`, of each state, and `check_end`, of each end."""

    actors: dict
    check: object
    check_end: object
    kills: int = 1
    minutes: int = 1
    depth: int = 60
    prepare: object = None


@attrs.define
class Found:
    states: int = 0
    ends: int = 0
    deepest: int = 0
    faults: list = attrs.field(factory=list)


def explore(story, most_faults=1):
    """All states within the depth; or the first ones in which something is wrong, with the schedules that lead there."""
    found, seen = Found(), set()
    waiting = deque([()])
    while waiting and len(found.faults) < most_faults:
        schedule = waiting.pop()
        with closing(_Run.of(story, schedule)) as run:
            while choices := _looked_at(run, schedule, seen, found):
                waiting.extend((*schedule, choice) for choice in choices[:-1])
                schedule = (*schedule, choices[-1])
                run.choose(choices[-1])
    return found


def _looked_at(run, schedule, seen, found):
    """The choices that are to be gone into from here."""
    fault, state = run.story.check(run.world), run.state()
    if state in seen and not fault:
        return ()
    seen.add(state)
    found.states += 1
    found.deepest = max(found.deepest, len(schedule))
    if not run.going and not fault:
        found.ends += 1
        fault = run.story.check_end(run.world, run.killed)
    if fault:
        found.faults.append((schedule, fault))
    return run.choices() if run.going and not fault and len(schedule) < run.story.depth else ()


@attrs.define
class _Run:
    story: Story
    world: World
    going: dict
    steps: dict
    kills: int
    minutes: int
    killed: list = attrs.field(factory=list)
    left: list = attrs.field(factory=list)

    def close(self):
        """What was cut changes the world no more."""
        self.world.over = True
        for coroutine in [*self.left, *self.going.values()]:
            coroutine.close()

    @classmethod
    def of(cls, story, schedule):
        world = World()
        if story.prepare:
            story.prepare(world)
        going = {name: make(world) for name, make in story.actors.items()}
        run = cls(story, world, going, dict.fromkeys(going, 0), story.kills, story.minutes)
        for name in list(going):
            run.advance(name)  # up to its first use of the world
        for choice in schedule:
            run.choose(choice)
        return run

    def choices(self):
        """The last is looked into first."""
        kills = [f"kill {name}" for name in self.going] if self.kills else []
        time = ["a minute"] if self.minutes and self.going else []
        return [*kills, *time, *self.going]

    def choose(self, choice):
        if choice == "a minute":
            self.minutes -= 1
            self.world.at += LEASE_PASSES_S
        elif choice.startswith("kill "):
            self.kills -= 1
            name = choice.removeprefix("kill ")
            self.killed.append(name)
            self.left.append(self.going.pop(name))
        else:
            self.advance(choice)

    def advance(self, name):
        try:
            self.going[name].send(None)
        except StopIteration:
            del self.going[name]
        self.steps[name] += 1

    def state(self):
        """Where everybody is, and what the world is."""
        world = self.world
        ids = {row[0]: row[1] for row in world.rows("SELECT id, sha256 FROM provider_file_uploads")}
        tables = [world.rows(f"SELECT * FROM {table}") for table in _TABLES]  # noqa: S608 - our own words
        where = {name: _frames(coroutine) for name, coroutine in self.going.items()}
        text = repr((
            tables, sorted(world.shelf.items()), sorted(world.objects), where,
            world.at, self.kills, self.minutes, world.taken, tuple(self.killed),
        ))  # fmt: skip
        for upload_id, sha256 in ids.items():
            text = text.replace(upload_id, sha256)
        return hash(text)


_TABLES = (
    "provider_file_uploads ORDER BY sha256", "file_references ORDER BY owner, upload",
    "file_deletion_jobs ORDER BY provider_file_id", "leases",
)  # fmt: skip


def _frames(coroutine):
    """Where a coroutine stands, and with what in hand."""
    places = []
    while coroutine is not None and hasattr(coroutine, "cr_frame"):
        frame = coroutine.cr_frame
        if frame is None:
            break
        held = {
            name: repr(value)
            for name, value in frame.f_locals.items()
            if name
            in {
                "claim",
                "sent",
                "file",
                "file_id",
                "jobs",
                "job",
                "found",
                "lease",
                "error",
                "after",
                "listed",
                "known",
                "tries",
                "stage",
                "name",
                "upload",
            }
        }
        places.append((frame.f_code.co_name, frame.f_lasti, tuple(sorted(held.items()))))
        coroutine = coroutine.cr_await
    return tuple(places)


def recovered(world):
    """After everybody has ended and some time has passed, one cleaning up."""
    world.at += 90_000.0  # the references of calls that were killed are over
    finish(clean(world, "after"))
    finish(clean(world, "after"))  # what was condemned by the first is gone
