"""Everything the two services offer besides chat: files, models, token counts, balance, search.

Synchronous: no waiting, no HTTP.
"""

from collections.abc import Iterator
from typing import Any

from exai_trio import structs

from ..chat.completions import glm_chat, kimi_chat
from ..chat.prompt import prompt_from
from ..chat.prompt_cache import prompt_tokens
from ..chat.web_search import fiber, formula_tools, glm_reader, glm_web_search
from ..uploaded_files import file_object
from ..vendors.error_bodies import Refused, glm_refusal, kimi_refusal
from ..vendors.glm_rules import glm_model
from ..vendors.kimi_rules import kimi_model
from ..vendors.model_list import KIMI_MODELS
from .received_request import Ask, Endpoint, told, told_text
from .response_script import Step


def upload(ask: Ask) -> Iterator[Step]:
    return told(ask, file_object(ask.service.shelf.upload(ask.form), ask.vendor))


def list_files(ask: Ask) -> Iterator[Step]:
    files = ask.service.shelf.listed(ask.params.get("purpose", ""))
    listed: dict[str, Any] = {
        "object": "list",
        "data": [file_object(held, ask.vendor) for held in files],
    }
    return told(ask, listed)


def describe_file(ask: Ask) -> Iterator[Step]:
    return told(ask, file_object(ask.service.shelf.take(ask.params["file_id"]), ask.vendor))


def delete_file(ask: Ask) -> Iterator[Step]:
    held = ask.service.shelf.delete(ask.params["file_id"])
    return told(ask, {"id": held.id, "object": "file", "deleted": True})


def glm_content(ask: Ask) -> Iterator[Step]:
    """JSON around the text, for extracted files; batch files as they are."""
    held = ask.service.shelf.take(ask.params["file_id"])
    if held.purpose == "batch":
        return told_text(ask, held.text())
    if held.purpose != "file-extract":
        raise Refused(glm_refusal("1220", what=f"content of {held.purpose} files"))
    suffix = held.filename.rpartition(".")[2]
    content = {"content": held.text(), "file_type": suffix, "filename": held.filename}
    return told(ask, {**content, "title": held.filename, "type": "file"})


def kimi_content(ask: Ask) -> Iterator[Step]:
    """The text itself."""
    held = ask.service.shelf.take(ask.params["file_id"])
    if held.purpose in {"image", "video"}:
        raise Refused(kimi_refusal("invalid", what=f"a file of purpose {held.purpose} has no text"))
    return told_text(ask, held.text())


def glm_tokens(ask: Ask) -> Iterator[Step]:
    prompt = prompt_from(ask.body)
    if not glm_model(prompt.model).counts_tokens:
        raise Refused(glm_refusal("1212", what="tokenizer"))
    if not prompt.messages:
        raise Refused(glm_refusal("1214", what="messages"))
    tokens = prompt_tokens(prompt)
    number = ask.visit.number
    usage = {"prompt_tokens": tokens, "total_tokens": tokens}
    return told(ask, {"id": f"sim-tokenizer-{number:06d}", "created": number, "usage": usage})


def kimi_tokens(ask: Ask) -> Iterator[Step]:
    prompt = prompt_from(ask.body)
    kimi_model(prompt.model)
    if not prompt.messages:
        raise Refused(kimi_refusal("invalid", what="messages must not be empty"))
    return told(ask, {"data": {"total_tokens": prompt_tokens(prompt, with_tools=False)}})


def kimi_balance(ask: Ask) -> Iterator[Step]:
    money = {"available_balance": 49.58, "voucher_balance": 46.58, "cash_balance": 3.0}
    return told(ask, {"code": 0, "data": money, "scode": "0x0", "status": True})


def kimi_models(ask: Ask) -> Iterator[Step]:
    described = [
        {
            "id": model.name,
            "object": "model",
            "created": model.created,
            "owned_by": "moonshot",
            "context_length": model.context,
            "supports_image_in": model.sees,
            "supports_video_in": model.sees,
            "supports_reasoning": True,
        }
        for model in KIMI_MODELS.values()
    ]
    return told(ask, {"object": "list", "data": described})


def glm_search(ask: Ask) -> Iterator[Step]:
    return told(ask, glm_web_search(ask.body, ask.visit.number))


def glm_read_page(ask: Ask) -> Iterator[Step]:
    return told(ask, glm_reader(ask.body, ask.visit.number))


def kimi_formula_tools(ask: Ask) -> Iterator[Step]:
    return told(ask, formula_tools(ask.params["formula"]))


def kimi_fiber(ask: Ask) -> Iterator[Step]:
    return told(ask, fiber(ask.params["formula"], ask.body, ask.visit.number))


def glm_nothing(ask: Ask) -> Iterator[Step]:
    raise Refused(glm_refusal("1222", what=f"{ask.visit.method} {ask.visit.path}"))


def kimi_nothing(_ask: Ask) -> Iterator[Step]:
    raise Refused(kimi_refusal("not_open"))


@structs.frozen
class Offer:
    """An endpoint under a service's base path."""

    method: str
    path: str
    endpoint: Endpoint


GLM_BASE = "/glm/api/paas/v4"
KIMI_BASE = "/kimi/v1"

GLM_OFFERS = (
    Offer("POST", "/chat/completions", glm_chat),
    Offer("POST", "/web_search", glm_search),
    Offer("POST", "/reader", glm_read_page),
    Offer("POST", "/tokenizer", glm_tokens),
    Offer("POST", "/files", upload),
    Offer("GET", "/files", list_files),
    Offer("GET", "/files/{file_id}/content", glm_content),
    Offer("DELETE", "/files/{file_id}", delete_file),
)
KIMI_OFFERS = (
    Offer("POST", "/chat/completions", kimi_chat),
    Offer("GET", "/models", kimi_models),
    Offer("POST", "/tokenizers/estimate-token-count", kimi_tokens),
    Offer("GET", "/users/me/balance", kimi_balance),
    Offer("GET", "/formulas/{formula:path}/tools", kimi_formula_tools),
    Offer("POST", "/formulas/{formula:path}/fibers", kimi_fiber),
    Offer("POST", "/files", upload),
    Offer("GET", "/files", list_files),
    Offer("GET", "/files/{file_id}", describe_file),
    Offer("GET", "/files/{file_id}/content", kimi_content),
    Offer("DELETE", "/files/{file_id}", delete_file),
)
