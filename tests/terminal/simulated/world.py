"""What is simulated: one session with its program, a daemon that lives several times, and clients; and what must hold."""

import hashlib
import random
from contextlib import asynccontextmanager

import attrs
import trio

from exai_trio.config import Config
from exai_trio.daemon.connections.auth import Authentication, Tokens
from exai_trio.daemon.terminals.terminal_endpoint import TerminalEndpoint
from exai_trio.daemon.terminals.terminals import Terminals
from exai_trio.system.change import Change
from exai_trio.terminal.keeper.daemon_peer import DaemonPeer, PeerLost
from exai_trio.terminal.keeper.keeper_requests import KeeperRequests
from exai_trio.terminal.keeper.kept_session import KeptSession, Times
from exai_trio.terminal.keeper.viewer import PATIENCE_S
from exai_trio.terminal.keeper_connection import KeeperConnection, NoKeeper
from exai_trio.terminal.terminal_link import TerminalLink
from exai_trio.terminal.typed_keys import TypedKeys
from exai_trio.transport.client_auth import Credentials
from exai_trio.transport.websocket import Limits, NotListening, PeerGone, accept, client_on

from .lines import Line, SocketEnd

SESSION = "session_1790000000000_abcdefghijklmnopqrstuvwxy"
TOKEN = "t" * 40
RING = 16_384
_SEEN_S = 0.5  # so much later than the keeper it may be seen here that something was shown
LIMITS = Limits(send_s=5.0, close_s=0.5)


def written(offset, count):
    """The program's output from there on: bytes of which none follow from others."""
    first, last = offset // 32, (offset + count) // 32 + 1
    blocks = b"".join(hashlib.sha256(str(n).encode()).digest() for n in range(first, last))
    return blocks[offset % 32 : offset % 32 + count]


@attrs.define(eq=False)
class Program:
    """Writes so many bytes, as far as it may, and notes what is typed."""

    total: int
    dice: random.Random
    heard: bytearray = attrs.field(factory=bytearray)
    pid: int = 1

    def foreground(self):
        return None


@attrs.define(eq=False)
class Keeper:
    """The keeper's rules, in a loop of trio's instead of its own."""

    program: Program
    hold_s: float = 10.0
    awaited: int = 1
    progress: dict = attrs.field(factory=dict)
    left_at: float = float("-inf")
    left_acked: int = 0
    session: KeptSession = attrs.field(init=False)
    requests: KeeperRequests = attrs.field(init=False)
    peers: list = attrs.field(factory=list)
    change: Change = attrs.field(factory=Change)

    def __attrs_post_init__(self):
        times = Times(self.hold_s, 1e9, 60.0)
        self.session = KeptSession(RING, times, (80, 24), trio.current_time())
        record = {"session_id": SESSION, "type": "system", "tab_name": "one", "project_path": "/", "principal": "token", "created": 0.0, "project_id": None}  # fmt: skip
        self.requests = KeeperRequests(self.session, self.program, record, trio.current_time)

    def connect(self, line):
        ours, theirs = line.ends()
        self.peers.append(DaemonPeer(SocketEnd(theirs)))
        line.heard.append(self.change.tell)
        self.change.tell()
        return ours

    async def run(self):
        async with trio.open_nursery() as legs:
            legs.start_soon(self._produce)
            legs.start_soon(self._consume)
            legs.start_soon(self._tick)
            while True:
                self.session.deadline(trio.current_time())
                for peer in list(self.peers):
                    self._serve(peer)
                await self.change.wait()

    async def _tick(self):
        while True:
            await trio.sleep(0.5)
            self.change.tell()

    def _serve(self, peer):
        try:
            for frame in peer.read():
                self.requests.take(peer, frame)
            peer.write(self.session)
        except PeerLost:
            self.peers.remove(peer)
            if peer.viewer is not None:
                self.session.detach(peer.viewer, trio.current_time())
                self.left_at, self.left_acked = trio.current_time(), peer.viewer.acked

    async def _produce(self):
        while len(self.session.viewers) < self.awaited:
            await self.change.wait()
        dice = self.program.dice
        while self.session.ring.head < self.program.total:
            now = trio.current_time()
            head = self.session.ring.head
            count = min(self.session.room(now), self.program.total - head, dice.randrange(1, 3000))
            self._see_progress(now)
            if count:
                self.session.take_output(written(head, count), now)
                self._check_held(now)
                self.change.tell()
            await trio.sleep(dice.choice((0.01, 0.1, 0.4)) if count else 0.2)
        self.session.end({"status": 7}, trio.current_time())
        self.change.tell()

    def _see_progress(self, now):
        """Since when who is attached has shown nothing more; also while they hold the program."""
        for viewer in self.session.viewers:
            acked, _ = self.progress.get(viewer, (-1, now))
            if viewer.acked != acked or viewer.acked >= self.session.ring.head:
                self.progress[viewer] = viewer.acked, now

    def _check_held(self, now):
        """Nothing is overwritten that somebody waits for, who has shown something within ten seconds or left within the hold."""
        for viewer in self.session.viewers:
            _, since = self.progress[viewer]
            is_patient = now - since < PATIENCE_S - _SEEN_S
            assert not is_patient or self.session.ring.tail <= viewer.acked, "overwritten"
        if not self.session.viewers and now - self.left_at < self.hold_s:
            assert self.session.ring.tail <= self.left_acked, "overwritten while nobody was there"

    async def _consume(self):
        waiting = self.session.input
        while True:
            await trio.sleep(self.program.dice.choice((0.0, 0.05, 0.3)))
            while self.program.dice.random() < 0.8 and (data := waiting.next(None)):
                count = self.program.dice.randrange(1, len(data) + 1)
                self.program.heard += data[:count]
                taken = waiting.wrote(count, None)
                if taken is not None:
                    self.session.note_taken(*taken, trio.current_time())
                    self.change.tell()


@attrs.define(eq=False)
class Keepers:
    """Where the daemon finds the one keeper."""

    keeper: Keeper
    world: "World"

    async def start(self, spec):
        raise NotImplementedError

    @asynccontextmanager
    async def connect(self, session_id):
        if session_id != SESSION:
            raise NoKeeper
        line = self.world.line()
        stream = self.keeper.connect(line)
        try:
            yield KeeperConnection(stream)
        finally:
            await trio.aclose_forcefully(stream)

    async def names(self):
        return [SESSION]

    async def sweep(self, session_id):
        pass


class Silence:
    """An audit that nobody reads."""

    def note(self, event, **facts):
        pass

    async def run(self):
        await trio.sleep_forever()

    async def flush(self):
        pass


class CheckedKeys(TypedKeys):
    """What is taken is with the program."""

    def __init__(self, client):
        super().__init__()
        self.client = client

    def note_taken(self, number):
        client = self.client
        ends = client.numbers.get(number, 0)
        assert bytes(client.typed[:ends]) == client.heard()[:ends], (
            "taken, and not with the program"
        )
        super().note_taken(number)


@attrs.define(eq=False)
class Client:
    """Checks at each moment that what it has shown is what the program wrote, or is missing by exactly what was told."""

    world: "World"
    name: str
    slow: float = 0.0  # how likely it is that it shows nothing for long
    position: int = 0
    lost_bytes: int = 0
    typed: bytearray = attrs.field(factory=bytearray)
    numbers: dict = attrs.field(factory=dict)
    link: TerminalLink = attrs.field(init=False)
    outcome: object = None

    def __attrs_post_init__(self):
        self.link = TerminalLink(
            dial=self.world.dial,
            credential=self._credential,
            session_id=SESSION,
            view=self,
            size=(80, 24),
            client_id=self.name,
            shown=0,
            keys=CheckedKeys(self),
            door=self.world.listens,
        )

    def heard(self):
        own = self.name[0].encode()
        return b"".join(part for part in self.world.program_parts() if part.startswith(b"<" + own))

    async def _credential(self, _socket):
        return Credentials(token=TOKEN)

    async def show_some(self, data):
        dice = self.world.dice
        if self.slow and dice.random() < self.slow:
            await trio.sleep(dice.uniform(1, 25))
        await trio.sleep(dice.choice((0.0, 0.0, 0.001)))
        count = dice.randrange(1, len(data) + 1)
        assert data[:count] == written(self.position, count), f"{self.name} at {self.position}"
        self.position += count
        return count

    def lost(self, count):
        assert count > 0
        self.lost_bytes += count
        self.position += count
        assert self.position <= self.world.keeper.session.ring.head

    def resized(self, cols, rows):
        pass

    def away(self, why, rules):
        pass

    def back(self):
        pass

    def refused(self, fault):
        assert fault.code == "ENDED", fault

    async def run(self):
        async with trio.open_nursery() as legs:
            legs.start_soon(self._type)
            self.outcome = await self.link.run()
            legs.cancel_scope.cancel()

    async def _type(self):
        """Keys that say whose and which they are."""
        for number in range(1, self.world.keys + 1):
            await trio.sleep(self.world.dice.uniform(0, 0.4))
            key = f"<{self.name[0]}{number}>".encode()
            assert self.link.type(key)
            self.typed += key
            self.numbers[number] = len(self.typed)


@attrs.define(eq=False)
class World:
    """`budget` is how many bytes a line carries on average until it is cut, `lives_s` how long a daemon lives on average."""

    seed: int
    total: int = 60_000
    keys: int = 40
    budget: float = float("inf")
    lives_s: float = float("inf")
    away_s: float = 2.0
    slow: float = 0.0
    is_alone: bool = False
    dice: random.Random = attrs.field(init=False)
    keeper: Keeper = attrs.field(init=False)
    clients: list = attrs.field(factory=list)
    lines: list = attrs.field(factory=list)
    kills: int = 0
    cuts: int = 0
    daemon: TerminalEndpoint | None = None
    serving: trio.Nursery | None = None

    def __attrs_post_init__(self):
        self.dice = random.Random(self.seed)  # noqa: S311 - dice that follow a seed

    def line(self):
        budget = self.dice.expovariate(1 / self.budget) if self.budget < 1e9 else self.budget
        line = Line(budget if budget > 1e9 else int(budget) + 1)
        self.cuts += line.budget < 1e9
        self.lines = [one for one in self.lines if not one.there.is_cut] + [line]
        return line

    def program_parts(self):
        heard = bytes(self.keeper.program.heard)
        return [b"<" + part for part in heard.split(b"<")[1:]]

    async def listens(self):
        await trio.lowlevel.checkpoint()
        return self.serving is not None

    @asynccontextmanager
    async def dial(self):
        await trio.lowlevel.checkpoint()
        if self.serving is None:
            raise NotListening("nobody")
        ours, theirs = self.line().ends()
        self.serving.start_soon(self._serve, theirs, self.daemon)
        async with client_on(ours, "localhost", LIMITS, "/terminal") as socket:
            yield socket

    async def _serve(self, stream, daemon):
        try:
            async with accept(stream, LIMITS, lambda _: None) as socket:
                await daemon.serve(socket, "here")
        except PeerGone:
            pass

    async def _live(self):
        """One daemon after another."""
        while True:
            config = Config(ws_token=TOKEN, ws_ping_interval=5.0, ws_ping_timeout=5.0)
            terminals = Terminals(config=config, keepers=Keepers(self.keeper, self), now=trio.current_time, audit=Silence())  # fmt: skip
            self.daemon = TerminalEndpoint(
                terminals, Authentication(Tokens(config)), trio.current_time
            )
            async with trio.open_nursery() as living:
                await living.start(terminals.run)
                self.serving = living
                life = self.dice.expovariate(1 / self.lives_s) if self.lives_s < 1e9 else 1e12
                await trio.sleep(life)
                self.kills += 1
                self.serving = None
                for line in self.lines:
                    line.cut()
                living.cancel_scope.cancel()
            await trio.sleep(self.dice.uniform(0, 2 * self.away_s))

    async def play(self):
        """Until every client knows how it ended, and all that was typed is with the program."""
        dice = random.Random(self.seed + 1)  # noqa: S311 - as above
        self.keeper = Keeper(Program(self.total, dice), awaited=1 if self.is_alone else 2)
        self.clients = [Client(self, "quick")]
        if not self.is_alone:
            self.clients.append(Client(self, "other", slow=self.slow))
        async with trio.open_nursery() as everything:
            everything.start_soon(self.keeper.run)
            everything.start_soon(self._live)
            with trio.fail_after(50_000):
                async with trio.open_nursery() as playing:
                    for client in self.clients:
                        playing.start_soon(client.run)
            everything.cancel_scope.cancel()

    def judge(self):
        """What must hold at the end."""
        for client in self.clients:
            assert client.outcome.exit == {"status": 7}, client.outcome
            assert client.position == self.total
            heard = client.heard()
            assert bytes(client.typed).startswith(heard), f"{client.name}: {heard[-40:]}"
