"""provider_capabilities: which providers are set up, and what they can do."""

from typing import Annotated

from msgspec import Meta

from exai_trio import structs
from exai_trio.tools import envelope
from exai_trio.tools.base import Answer, Caller, Services, Tool
from exai_trio.tools.diagnostics import rendering

_ADVANCED = frozenset({"base_url", "breakers", "models", "max_inflight"})


@structs.frozen(kw_only=True)
class Arguments:
    """What provider_capabilities takes."""

    include_tools: bool = False
    show_advanced: Annotated[
        bool, Meta(description="Also addresses, limits, breakers, settings")
    ] = False
    invalidate_cache: Annotated[bool, Meta(description="Ask for the list of models again")] = False


async def run(arguments: Arguments, caller: Caller, services: Services) -> Answer:
    if arguments.invalidate_cache:
        caller.stage("refreshing", "provider_capabilities: asking for the list of models")
        await services.gateway.refresh_models()
    known = services.gateway.providers()
    hidden = frozenset[str]() if arguments.show_advanced else _ADVANCED
    lines = ["Providers:", *(f"  {line}" for line in rendering.providers(known, leave_out=hidden))]
    if arguments.show_advanced:
        lines += rendering.section(
            "Limits", rendering.permits(services.daemon.health().get("permits"))
        )
        lines += rendering.section("Settings", _settings(services))
    if arguments.include_tools:
        lines += rendering.section("Tools", services.tool_names())
    return envelope.simple("provider_capabilities", "\n".join(lines))


def _settings(services: Services) -> list[str]:
    config = services.config
    return [
        f"DEFAULT_MODEL {config.default_model}",
        f"GLM_TIMEOUT_SECS {config.glm_timeout_secs:g}, GLM_STREAM_TIMEOUT {config.glm_stream_timeout:g}",
        f"KIMI_TIMEOUT_SECS {config.kimi_timeout_secs:g}, KIMI_STREAM_TIMEOUT {config.kimi_stream_timeout:g}",
        f"EXAI_STREAM_IDLE_S {config.stream_idle_s:g}",
        f"EXAI_PROVIDERS_FILE {config.providers_file or '(none)'}",
    ]


TOOL = Tool(
    name="provider_capabilities",
    description="Which providers are set up, and what they can do.",
    arguments=Arguments,
    run=run,
    repeatable=True,
    reports=True,
)
