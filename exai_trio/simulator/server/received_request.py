"""One request on its way to an endpoint: what was asked, by whom, and which fault applies.

Synchronous: no waiting, no HTTP.
"""

from collections.abc import Callable, Iterator
from typing import Any

import attrs

from exai_trio import structs

from ..chat.model_answer import Vendor
from ..chat.prompt import prompt_from, sha
from ..faults import Fault, fault_in
from ..json_fields import dumped
from ..state import Service, SimulatorState, Visit
from ..vendors.error_bodies import KIMI_ROWS, Refusal, glm_refusal, kimi_refusal, kimi_row_of_type
from .multipart import Form
from .response_script import HTML, Step, body_steps

JSON = (("content-type", "application/json; charset=utf-8"),)
PAGE = (("content-type", "text/html"),)
GATEWAY_TIMEOUT = 504
TEXT = (("content-type", "text/plain; charset=utf-8"),)


@structs.frozen(kw_only=True)
class Ask:
    """A request as an endpoint sees it. `params` are the parts of the path, then of the query."""

    simulator_state: SimulatorState
    visit: Visit
    vendor: Vendor
    params: dict[str, str]
    body: dict[str, Any]
    form: Form | None
    fault: Fault

    @property
    def service(self) -> Service:
        return self.simulator_state.services[self.vendor]


Endpoint = Callable[[Ask], Iterator[Step]]


def told(ask: Ask, body: dict[str, Any]) -> Iterator[Step]:
    """The endpoint's answer as JSON."""
    return body_steps(200, JSON, dumped(body), ask.fault)


def told_text(ask: Ask, text: str) -> Iterator[Step]:
    return body_steps(200, TEXT, text.encode("utf-8", "replace"), ask.fault)


def unauthorised(vendor: Vendor, header: str) -> Refusal | None:
    """What is wrong with the Authorization header: any key is good unless it begins with 'wrong'."""
    scheme, _, key = header.partition(" ")
    key = key.strip()
    if vendor == "kimi":
        if scheme.lower() != "bearer" or not key:
            return kimi_refusal("auth")
        return kimi_refusal("key") if key.startswith("wrong") else None
    if not header.strip():
        return glm_refusal("1001")
    if scheme.lower() != "bearer" or not key:
        return glm_refusal("1002")
    if not key.startswith("wrong"):
        return None
    return glm_refusal("1003" if key.startswith("wrong-expired") else "1000")


def masked(header: str) -> str:
    """An Authorization header that can be logged: the same key gives the same text."""
    scheme, _, key = header.partition(" ")
    return f"{scheme} ***{sha(key)}" if key else "***"


def fault_for(
    simulator_state: SimulatorState, visit: Visit, body: dict[str, Any], key: str
) -> Fault:
    """What applies to this request: what a test armed, else what the prompt asks for, as long as `times` lasts.

    Raises: BadDirectiveError.
    """
    visit.attempt = simulator_state.attempt(f"{visit.vendor} {visit.path} {key}")
    asked = fault_in(prompt_from(body).last_user) if "messages" in body else None
    fault = simulator_state.armed_for(visit) or asked or Fault()
    worn_out = fault.times is not None and visit.attempt > fault.times
    return fault.without_wrong() if worn_out else fault


_GLM_BY_STATUS = ((400, "1210"), (401, "1000"), (403, "1220"), (404, "1211"), (429, "1302"))
_KIMI_BY_STATUS = (
    (400, "invalid"),
    (401, "auth"),
    (403, "not_open"),
    (404, "not_found"),
    (429, "rpm"),
    (503, "unavailable"),
)


def asked_refusal(vendor: Vendor, fault: Fault) -> Refusal:
    """The error that a fault names by row, by type or by status; without any, overload."""
    status = 0 if fault.error_in_200 else fault.status or 0
    if vendor == "glm":
        name = fault.error or _by_status(_GLM_BY_STATUS, status, "500", "1305")
        refusal = glm_refusal(name, fault.message, status=status)
    else:
        name = fault.error or _by_status(_KIMI_BY_STATUS, status, "server", "overloaded")
        row = name if name in KIMI_ROWS else kimi_row_of_type(name)
        refusal = kimi_refusal(row, fault.message, again=fault.again, status=status)
    if fault.error_in_200:
        refusal = attrs.evolve(refusal, status=200)
    if fault.retry_after is None:
        return refusal
    return attrs.evolve(refusal, headers=(("retry-after", f"{fault.retry_after:g}"),))


def _by_status(
    names: tuple[tuple[int, str], ...], status: int, otherwise: str, no_status: str
) -> str:
    if not status:
        return no_status
    return next((name for known, name in names if known == status), otherwise)


def asked_wrong(vendor: Vendor, fault: Fault) -> Iterator[Step]:
    """The answer of a request whose fault refuses it: a page, or one of the service's errors."""
    page = fault.html or (fault.status == GATEWAY_TIMEOUT and fault.error is None)
    if page and not fault.error_in_200:
        headers = (
            PAGE
            if fault.retry_after is None
            else (*PAGE, ("retry-after", f"{fault.retry_after:g}"))
        )
        return body_steps(fault.status or GATEWAY_TIMEOUT, headers, HTML, fault)
    return refused(asked_refusal(vendor, fault), fault)


def refused(refusal: Refusal, fault: Fault) -> Iterator[Step]:
    return body_steps(refusal.status, (*JSON, *refusal.headers), dumped(refusal.body), fault)
