"""The simulator's own endpoints, for tests: POST and DELETE /_control, GET /_requests, GET /_state."""

import json
from typing import Any

import trio
from starlette.requests import Request
from starlette.responses import JSONResponse
from starlette.routing import Route

from exai_trio import structs

from ..faults import BadDirectiveError, fault_from, words_of
from ..json_fields import a_number, a_text, an_object
from ..state import Armed, SimulatorState, Visit

_KNOWN = frozenset({
    "provider", "requests", "path", "method", "fault", "directive", "limit", "vanish",
})  # fmt: skip


@structs.frozen
class Control:
    """The endpoints over one simulator_state. A request that is cancelled before its body has come changes nothing."""

    simulator_state: SimulatorState
    started: float

    def routes(self) -> list[Route]:
        return [
            Route("/_control", self.arm, methods=["POST"]),
            Route("/_control", self.reset, methods=["DELETE"]),
            Route("/_requests", self.requests, methods=["GET"]),
            Route("/_state", self.state, methods=["GET"]),
        ]

    async def arm(self, request: Request) -> JSONResponse:
        """Arm a fault for the next n requests, or set a service's limit of chats at once."""
        try:
            asked = an_object(json.loads(await request.body()))
            armed = self._obey(asked)
        except (ValueError, BadDirectiveError) as error:
            return JSONResponse({"error": str(error)}, status_code=400)
        if not armed:
            return JSONResponse({"error": "too many faults are armed"}, status_code=409)
        return JSONResponse({"armed": len(self.simulator_state.armed)})

    def _obey(self, asked: dict[str, Any]) -> bool:
        unknown = sorted(asked.keys() - _KNOWN)
        provider = a_text(asked.get("provider"))
        if unknown or provider not in {"", "glm", "kimi"}:
            raise BadDirectiveError(f"known: {', '.join(sorted(_KNOWN))}; provider: glm, kimi")
        if "limit" in asked:
            limit = a_number(asked["limit"])
            for name in (provider,) if provider else ("glm", "kimi"):
                self.simulator_state.services[name].limit = None if limit is None else int(limit)
        self._let_vanish(provider, a_text(asked.get("vanish")))
        if "fault" not in asked and "directive" not in asked:
            return True
        words = an_object(asked.get("fault")) | words_of(a_text(asked.get("directive")))
        requests = int(a_number(asked.get("requests", 1)) or 0)
        if requests < 1:
            raise BadDirectiveError("requests must be 1 or more")
        path = a_text(asked.get("path"))
        fault = fault_from(words)
        return self.simulator_state.arm(
            Armed(
                fault=fault,
                requests=requests,
                vendor=provider,
                path=path,
                method=a_text(asked.get("method")),
            )
        )

    def _let_vanish(self, provider: str, file_id: str) -> None:
        services = self.simulator_state.services
        for name in (provider,) if provider else services:
            if file_id and services[name].shelf.vanish(file_id):
                return
        if file_id:
            raise BadDirectiveError(f"no service holds {file_id}")

    async def reset(self, _request: Request) -> JSONResponse:
        """Forget everything: log, armed faults, attempts, files, caches, limits."""
        self.simulator_state.forget_all()
        return JSONResponse({"armed": 0})

    async def requests(self, request: Request) -> JSONResponse:
        """The log, oldest first; `?since=N` gives what came after request N, `?path=` what ends in it."""
        since = request.query_params.get("since", "0")
        path = request.query_params.get("path", "")
        after = int(since) if since.isdecimal() else 0
        visits = [
            shown(visit, self.started)
            for visit in self.simulator_state.log
            if visit.number > after and visit.path.endswith(path)
        ]
        return JSONResponse({"requests": visits, "forgotten": self.simulator_state.forgotten})

    async def state(self, _request: Request) -> JSONResponse:
        now = trio.current_time()
        return JSONResponse(
            {
                "open": [
                    {
                        "number": visit.number,
                        "path": visit.path,
                        "seconds": round(now - visit.at, 3),
                    }
                    for visit in self.simulator_state.open.values()
                ],
                "connections": len(self.simulator_state.connections),
                "served": self.simulator_state.served,
                "crashes": self.simulator_state.crashes,
                "armed": sum(armed.requests for armed in self.simulator_state.armed),
                "files": {
                    name: len(service.shelf.held)
                    for name, service in self.simulator_state.services.items()
                },
                "limits": {
                    name: service.limit for name, service in self.simulator_state.services.items()
                },
                "uptime": round(now - self.started, 3),
            }
        )


def shown(visit: Visit, started: float) -> dict[str, Any]:
    """The log entry; times from the clock's own zero become seconds since the start."""
    logged = visit.logged()
    logged["at"] = round(visit.at - started, 4)
    logged["ended_at"] = None if visit.ended_at is None else round(visit.ended_at - started, 4)
    return logged
