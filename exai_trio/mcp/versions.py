"""The versions of MCP and what we say about ourselves in each. Pure: no trio, no clock, no I/O.

Two eras: up to 2025-11-25 a handshake (`initialize`) fixes the version for the process; 2026-07-28 has none, and each
request carries its version in `_meta`.
"""

from typing import Any, Final

from exai_trio import __version__, structs

HANDSHAKE_VERSIONS: Final = ("2025-11-25", "2025-06-18", "2025-03-26", "2024-11-05")
STATELESS_VERSIONS: Final = ("2026-07-28",)
UNSUPPORTED_VERSION: Final = -32022

_META: Final = "io.modelcontextprotocol/"
VERSION_KEY: Final = _META + "protocolVersion"
CAPABILITIES_KEY: Final = _META + "clientCapabilities"
CLIENT_KEY: Final = _META + "clientInfo"
SUBSCRIPTION_KEY: Final = _META + "subscriptionId"
SERVER_KEY: Final = _META + "serverInfo"

SERVER: Final = {"name": "exai", "title": "EXAI", "version": __version__}
CAPABILITIES: Final = {
    "tools": {"listChanged": True},
    "prompts": {"listChanged": True},
    "resources": {},
    "completions": {},
}
INSTRUCTIONS: Final = (
    "Ask GLM and Kimi for a second opinion: chat for questions, the step-by-step tools (debug, codereview, analyze, …)"
    " for work on code. Give absolute paths of files. Send continuation_id back to go on with a conversation."
)
DISCOVER_TTL_MS: Final = 3_600_000
LIST_TTL_MS: Final = 5_000

Result = dict[str, Any]


@structs.frozen
class Dialect:
    """One version, and what follows from it."""

    version: str

    @property
    def stateless(self) -> bool:
        return self.version in STATELESS_VERSIONS

    @property
    def structured(self) -> bool:
        """Whether results may carry structuredContent."""
        return self.version >= "2025-06-18"

    def result(self, fields: Result) -> Result:
        """The fields as a whole result, with the marks of its era."""
        if not self.stateless:
            return fields
        meta = {**fields.get("_meta", {}), SERVER_KEY: SERVER}
        return {**fields, "resultType": "complete", "_meta": meta}

    def cached(self, fields: Result, ttl_ms: int) -> Result:
        """The same of what its client may keep for so long, for itself alone."""
        if self.stateless:
            fields = {**fields, "ttlMs": ttl_ms, "cacheScope": "private"}
        return self.result(fields)


UNSPOKEN: Final = Dialect(HANDSHAKE_VERSIONS[0])


def negotiated(wanted: str) -> Dialect:
    """The answer to a client that wants this version by handshake."""
    return Dialect(wanted if wanted in HANDSHAKE_VERSIONS else HANDSHAKE_VERSIONS[0])


def initialized(dialect: Dialect) -> Result:
    return {
        "protocolVersion": dialect.version,
        "capabilities": CAPABILITIES,
        "serverInfo": SERVER,
        "instructions": INSTRUCTIONS,
    }


def discovered() -> Result:
    return {
        "supportedVersions": list(STATELESS_VERSIONS),
        "capabilities": CAPABILITIES,
        "instructions": INSTRUCTIONS,
        "ttlMs": DISCOVER_TTL_MS,
        "cacheScope": "private",
    }


def unsupported(wanted: str) -> Result:
    """The data of the version error: what the request may be sent again in, as `discovered` says too."""
    return {"supported": list(STATELESS_VERSIONS), "requested": wanted}
