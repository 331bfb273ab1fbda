"""Asking one address what model server is there, by GET alone, and never for longer than its caller can wait."""

from typing import Final

import attrs
import trio

from exai_trio import structs
from exai_trio.providers.base import OfferedModel
from exai_trio.transport.loopback_get import Got, NoHttp, get

from . import model_lists
from .addresses import Address
from .model_lists import LLAMA, LM_STUDIO, OLLAMA, OTHER, Json

LIST_S: Final = 0.6  # for its list of models
DETAILS_S: Final = 0.25  # for what else it says, without which it is found all the same
_OK: Final = 200
_NO_KEY: Final = frozenset({401, 403})


@structs.frozen(kw_only=True)
class Server:
    """A model server that answered. Without a `kind` it is one of those that speak OpenAI's language; one that `wants_key`
    may have told no models."""

    address: Address
    kind: str = OTHER
    models: tuple[OfferedModel, ...] = ()
    wants_key: bool = False

    @property
    def base_url(self) -> str:
        return self.address.base_url

    @property
    def title(self) -> str:
        return self.kind or "a model server"


async def look(address: Address, key: str = "", *, list_s: float = LIST_S) -> Server | None:
    """The server at that address; None where nobody listens, or who answers is no model server, or nobody does in `list_s`. The
    key, if any, is sent there. Raises nothing; cancelling closes the connections."""
    answer: Got | None = None
    with trio.move_on_after(list_s):
        answer = await _fetch(address, f"{address.path}/models", key)
    server = None if answer is None else _server(address, answer)
    return server if server is None or server.wants_key else await _with_details(server, key)


def _server(address: Address, answer: Got) -> Server | None:
    said = model_lists.parsed(answer.body)
    if said is None:
        return None
    if answer.status in _NO_KEY:
        return Server(address=address, wants_key=True) if "error" in said else None
    if answer.status != _OK or not model_lists.is_model_list(said):
        return None
    return Server(
        address=address, kind=model_lists.kind_of(said), models=model_lists.openai_models(said)
    )


async def _with_details(server: Server, key: str) -> Server:
    """With what the server says in its own interface; without, where that takes too long."""
    with trio.move_on_after(DETAILS_S):  # noqa: ASYNC912 - all but vLLM are asked
        if server.kind == LLAMA:
            props = await _fetch(server.address, "/props", key)
            return attrs.evolve(server, wants_key=props is not None and props.status in _NO_KEY)
        if server.kind in {OLLAMA, OTHER} and (tags := await _object(server, "/api/tags", key)):
            return await _ollama(server, tags, key)
        if server.kind in {LM_STUDIO, OTHER}:
            said = await _object(server, "/api/v0/models", key)
            if said and model_lists.is_model_list(said):
                models = model_lists.lm_studio_models(said)
                return attrs.evolve(server, kind=LM_STUDIO, models=models)
    return server


async def _ollama(server: Server, tags: Json, key: str) -> Server:
    if not isinstance(tags.get("models"), list):
        return server
    loaded = await _object(server, "/api/ps", key)
    return attrs.evolve(server, kind=OLLAMA, models=model_lists.ollama_models(tags, loaded))


async def _object(server: Server, path: str, key: str) -> Json | None:
    answer = await _fetch(server.address, path, key)
    good = answer is not None and answer.status == _OK
    return model_lists.parsed(answer.body) if answer is not None and good else None


async def _fetch(address: Address, path: str, key: str) -> Got | None:
    try:
        return await get(address.host, address.port, path, key=key)
    except (OSError, NoHttp):  # audit: empty-handler, because None is the answer: no server there
        return None
