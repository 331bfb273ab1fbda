"""glm_web_search: GLM's web search by itself, without asking a model."""

from typing import Annotated, Any, Literal

import attrs
from msgspec import Meta

from exai_trio import structs
from exai_trio.tools import envelope
from exai_trio.tools.asking import model_choice
from exai_trio.tools.base import Answer, Caller, Services, Tool

_USUAL_ENGINE = "search-prime"


@structs.frozen(kw_only=True)
class Arguments:
    """What glm_web_search takes."""

    search_query: Annotated[str, Meta(min_length=1)]
    count: Annotated[int, Meta(ge=1, le=50)] = 10
    search_engine: str = _USUAL_ENGINE
    search_domain_filter: str = ""
    search_recency_filter: Literal["oneDay", "oneWeek", "oneMonth", "oneYear", "all"] = "all"
    request_id: Annotated[str, Meta(max_length=64)] = ""
    user_id: Annotated[str, Meta(max_length=128)] = ""


async def run(arguments: Arguments, caller: Caller, services: Services) -> Answer:
    options = _options(arguments)
    caller.stage("searching", "glm: searching the web")
    query, key = arguments.search_query, caller.idempotency_key
    results = await services.gateway.ask(
        "glm", lambda glm: glm.web_search(query, options, key), caller
    )
    return envelope.as_json(
        "glm_web_search",
        {"search_result": [dict(result) for result in results]},
        metadata=model_choice.served_by(services, "glm") | {"results": len(results)},
    )


def _options(arguments: Arguments) -> dict[str, Any]:
    """The usual engine is left to the dialect: it has another name at the service in China."""
    given = attrs.asdict(arguments, filter=lambda field, _: field.name != "search_query")
    if given["search_engine"] == _USUAL_ENGINE:
        del given["search_engine"]
    return {name: value for name, value in given.items() if value}


TOOL = Tool(
    name="glm_web_search",
    description="Search the web with GLM's search service.",
    arguments=Arguments,
    run=run,
    repeatable=True,
)
