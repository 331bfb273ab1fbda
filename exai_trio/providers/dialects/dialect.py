"""What differs between OpenAI-compatible services, as one value per service. Pure; the values are in glm, kimi and plain."""

from collections.abc import Callable, Mapping
from typing import Any

from exai_trio import structs

from ..base import Balance, Capability, ChatRequest, Message
from ..catalogue import ModelInfo
from ..refusals.provider_errors import Complaint, Verdict

Json = Mapping[str, Any]


@structs.frozen(kw_only=True)
class Asked:
    """A request other than chat: a path below the base URL and, for POST, its JSON body."""

    path: str
    body: Json | None = None


@structs.frozen(kw_only=True)
class Dialect:
    """`judge` says what a complaint of the service means, or None if the service's own table does not know it.

    The functions for capabilities that are absent are never called.
    """

    title: str
    capabilities: frozenset[Capability]
    chat_body: Callable[[ChatRequest, ModelInfo], dict[str, Any]]
    judge: Callable[[Complaint], Verdict | None]
    currency: str = "USD"
    count_tokens: Callable[[str, tuple[Message, ...]], Asked] | None = None
    counted_tokens: Callable[[bytes], int] | None = None
    web_search: Callable[[str, Json], Asked] | None = None
    found: Callable[[bytes], tuple[Json, ...]] | None = None
    file_text: Callable[[bytes], bytes] | None = None  # None: the file's own bytes are the answer
    file_limit: int | None = None
    balance_of: Callable[[bytes], Balance] | None = None
    own_search: str | None = None  # the tool call by which a model asks us to let it search the web
