"""One door to /rest/v1 and /storage/v1, as Supabase has it: it checks the key, and can be slow, cut, silent or in trouble."""

from contextlib import asynccontextmanager

import attrs
import jwt
import trio

from hosted.http1 import Response, ask, serve_stream
from hosted.postgrest import JWT_SECRET

SECRET_KEY = "sb_secret_of_the_tests_alone"
_TOKENS = {
    role: jwt.encode({"role": role, "iss": "supabase"}, JWT_SECRET, "HS256")
    for role in ("service_role", "anon")
}
_HTML = b"<html><head><title>503 Service Temporarily Unavailable</title></head><body>nginx</body></html>"


@attrs.define
class Switches:
    """What is wrong with a route; by default nothing. Sizes are bytes, times seconds.

    `cut_request`: the answer is never sent, although what was asked is done. `times`: how often, then it is over."""

    delay: float = 0.0
    cut: int | None = None
    cut_request: bool = False
    black_hole: bool = False
    status: int = 0
    retry_after: str = ""
    body: bytes = b'{"message":"no"}'
    times: int | None = None

    def takes(self):
        """Whether it applies to one more request."""
        if self.times is None:
            return True
        self.times -= 1
        return self.times >= 0


@attrs.define(eq=False)
class Gateway:
    """`wrong` has a Switches by the beginning of a path. `requests` are the paths that were asked for."""

    postgrest: object
    storage: object
    port: int = 0
    key: str = SECRET_KEY
    wrong: dict[str, Switches] = attrs.field(factory=dict)
    requests: list[str] = attrs.field(factory=list)

    @property
    def url(self):
        return f"http://127.0.0.1:{self.port}"

    def break_all(self, **switches):
        self.wrong[""] = Switches(**switches)

    def mend(self):
        self.wrong.clear()

    async def answer(self, request):
        self.requests.append(request.path)
        wrong = self._wrong_with(request.path)
        if wrong.black_hole:
            await trio.sleep_forever()
        await trio.sleep(wrong.delay)
        if wrong.status:
            return _trouble(wrong)
        response = await self._answered(request)
        if wrong.cut_request:
            return None
        return response if wrong.cut is None else attrs.evolve(response, cut=wrong.cut)

    def _wrong_with(self, path):
        for start, switches in self.wrong.items():
            if path.startswith(start) and switches.takes():
                return switches
        return Switches()

    async def _answered(self, request):
        role = self._role(request.header("apikey"))
        if role is None:
            return Response(
                status=401, body=b'{"message":"Invalid API key","hint":"Double check your key."}'
            )
        if request.path.startswith("/storage/v1"):
            return self.storage.answer(request)
        return await self._relayed(request, role)

    def _role(self, key):
        return {self.key: "service_role", **{token: role for role, token in _TOKENS.items()}}.get(
            key
        )

    async def _relayed(self, request, role):
        headers = [
            each
            for each in request.headers
            if each[0] not in {b"authorization", b"apikey", b"connection"}
        ]
        headers += [
            (b"authorization", f"Bearer {_TOKENS[role]}".encode()),
            (b"connection", b"close"),
        ]
        inner = attrs.evolve(
            request, target=request.target.removeprefix("/rest/v1"), headers=headers
        )
        try:
            async with await trio.open_unix_socket(self.postgrest.path) as stream:
                return await ask(stream, inner)
        except OSError:
            return _trouble(Switches(status=503))


def _trouble(wrong):
    match wrong.status:
        case 503 | 502:
            return Response(
                status=wrong.status, headers=[(b"content-type", b"text/html")], body=_HTML
            )
        case 429:
            after = [(b"retry-after", wrong.retry_after.encode())] if wrong.retry_after else []
            return Response(status=429, headers=after, body=b'{"message":"Too many requests"}')
        case _:
            return Response(status=wrong.status, body=wrong.body)


@asynccontextmanager
async def open_gateway(postgrest, storage, port=0):
    """A gateway on a loopback port until the block is left."""
    gateway = Gateway(postgrest, storage)
    async with trio.open_nursery() as serving:
        listeners = await serving.start(
            _listen, lambda stream: serve_stream(stream, gateway.answer), port
        )
        gateway.port = listeners[0].socket.getsockname()[1]
        yield gateway
        serving.cancel_scope.cancel()


async def _listen(handler, port, task_status):
    await trio.serve_tcp(handler, port, host="127.0.0.1", task_status=task_status)
