"""POST /chat/completions of both services: checks, cache, answer, stream or not.

No waiting here.
"""

from collections.abc import Iterator

from ..server.received_request import Ask, asked_refusal, told
from ..server.response_script import Step, stream_steps
from ..vendors.error_bodies import Refused, glm_refusal, kimi_refusal
from ..vendors.glm_rules import UNKNOWN_FIELDS as GLM_UNKNOWN, check_glm, glm_thinks
from ..vendors.glm_shape import glm_body, glm_chunks
from ..vendors.kimi_rules import UNKNOWN_FIELDS as KIMI_UNKNOWN, check_kimi, kimi_thinks
from ..vendors.kimi_shape import kimi_body, kimi_chunks
from ..vendors.model_list import GLM_MODELS, KIMI_MODELS
from .model_answer import Circumstances, Vendor, answer
from .prompt import Prompt, prompt_from
from .web_search import glm_chat_search


def glm_chat(ask: Ask) -> Iterator[Step]:
    """Raises: Refused."""
    prompt = _prompt(ask, GLM_UNKNOWN)
    check_glm(prompt)
    _check_limit(ask)
    twin = ask.simulator_state.twin(ask.visit, str(ask.body.get("request_id") or ""))
    if twin is not None:
        raise Refused(glm_refusal("1231", what=str(ask.body["request_id"])))
    around = Circumstances(
        vendor="glm",
        number=ask.visit.number,
        thinks=glm_thinks(prompt),
        cached=_cached(ask, prompt),
        default_output=GLM_MODELS[prompt.model].default_output,
        web_results=glm_chat_search(prompt),
        fault=ask.fault,
    )
    given = answer(prompt, around)
    if not prompt.stream:
        return told(ask, glm_body(given, ask.fault))
    return stream_steps(glm_chunks(given, prompt, ask.fault), ask.fault, _error(ask, "glm"))


def kimi_chat(ask: Ask) -> Iterator[Step]:
    """Raises: Refused."""
    prompt = _prompt(ask, KIMI_UNKNOWN)
    check_kimi(prompt, ask.service.shelf.shows)
    _check_limit(ask)
    around = Circumstances(
        vendor="kimi",
        number=ask.visit.number,
        thinks=kimi_thinks(prompt),
        cached=_cached(ask, prompt),
        default_output=KIMI_MODELS[prompt.model].default_output,
        fault=ask.fault,
    )
    given = answer(prompt, around)
    if not prompt.stream:
        return told(ask, kimi_body(given, ask.fault))
    return stream_steps(kimi_chunks(given, ask.fault), ask.fault, _error(ask, "kimi"))


def _prompt(ask: Ask, unknown: frozenset[str]) -> Prompt:
    """The request without the fields that the service does not know; the log names them."""
    ask.visit.ignored = tuple(sorted(unknown & ask.body.keys()))
    known = {name: value for name, value in ask.body.items() if name not in unknown}
    return prompt_from(known)


def _cached(ask: Ask, prompt: Prompt) -> int:
    account = f"{ask.visit.headers.get('authorization', '')} {prompt.model}"
    return ask.service.cache.cached_tokens(account, prompt)


def _error(ask: Ask, vendor: Vendor) -> dict[str, object]:
    return asked_refusal(vendor, ask.fault).body


def _check_limit(ask: Ask) -> None:
    """A test can set how many chats run at once; one more is refused at once, not queued."""
    limit = ask.service.limit
    if limit is None or ask.simulator_state.open_chats(ask.vendor) <= limit:
        return
    raise Refused(glm_refusal("1302") if ask.vendor == "glm" else kimi_refusal("concurrency"))
