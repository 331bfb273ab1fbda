"""What GLM would be sent for a question, without asking it. Pure."""

from collections.abc import Sequence
from typing import Any, Final

import attrs

from exai_trio.errors import ArgumentError

from ..base import ChatRequest
from ..catalogue import Catalogue
from ..endpoint import Endpoint
from ..routing import Router

_PROVIDER: Final = "glm"


def preview(
    endpoints: Sequence[Endpoint], catalogue: Catalogue, request: ChatRequest
) -> dict[str, Any]:
    """Raises: NotFoundError for a model nobody knows; ArgumentError for one of another provider."""
    router = Router(
        catalogue=catalogue,
        configured=tuple(endpoint.name for endpoint in endpoints),
        remedies={endpoint.name: endpoint.remedy for endpoint in endpoints},
    )
    choice = router.choose(request.model)
    if choice.provider != _PROVIDER:
        raise ArgumentError(
            f"{request.model} is a model of {choice.provider}; the payload is shown for GLM's models",
            details={"field": "model", "value": request.model},
        )
    (glm,) = (endpoint for endpoint in endpoints if endpoint.name == _PROVIDER)
    named = attrs.evolve(request, model=choice.model.name)
    return glm.dialect.chat_body(named, choice.model)
