"""The params of MCP requests as clients write them: left out, null, empty."""

import json

import pytest

from exai_trio.mcp import jsonrpc
from exai_trio.mcp.server import Server
from exai_trio.mcp.tool_list import listing_of
from exai_trio.mcp.versions import STATELESS_VERSIONS

TOOL = {"name": "chat", "description": "asks", "inputSchema": {"type": "object"}}
META = {
    "io.modelcontextprotocol/protocolVersion": STATELESS_VERSIONS[0],
    "io.modelcontextprotocol/clientCapabilities": {},
}
METHODS = [
    "ping", "tools/list", "prompts/list", "prompts/get", "resources/list", "resources/templates/list", "resources/read",
    "completion/complete", "logging/setLevel", "initialize", "tools/call", "server/discover", "unknown/method",
]  # fmt: skip


class Lines(list):
    """Where a server's lines go."""

    def put(self, line, request=None, *, progress=False):
        self.append(line)


def told(method, **params):
    """The lines that are written, and what is left for others."""
    lines = Lines()
    line = json.dumps({"jsonrpc": "2.0", "id": 1, "method": method} | params).encode()
    effects = Server(lines, listing_of([TOOL])).hear(jsonrpc.parse(line))
    return [*lines, *effects]


@pytest.mark.parametrize("method", METHODS)
def test_null_is_as_if_params_were_left_out(method):
    """No method tells null params from none."""
    assert told(method) == told(method, params=None)


@pytest.mark.parametrize(
    "method", ["ping", "tools/list", "prompts/list", "resources/templates/list"]
)
def test_methods_without_params_answer_null(method):
    """A client that writes null gets its answer."""
    (say,) = told(method, params=None)

    assert "result" in json.loads(say)


@pytest.mark.parametrize("method", ["notifications/initialized", "notifications/cancelled"])
def test_notifications_take_null(method):
    """A notification with null params is no fault."""
    line = json.dumps({"jsonrpc": "2.0", "method": method, "params": None}).encode()

    lines = Lines()

    assert [] == Server(lines).hear(jsonrpc.parse(line))
    assert [] == lines


@pytest.mark.parametrize("params", [[], 1, "x", True])
def test_other_params_are_refused(params):
    """What is neither an object nor nothing is refused by name."""
    (say,) = told("tools/list", params=params)

    assert jsonrpc.INVALID_PARAMS == json.loads(say)["error"]["code"]


@pytest.mark.parametrize("wanted", ["2025-11-25", "2027-01-01", "", "x"])
def test_the_version_error_lists_what_discovery_lists(wanted):
    """A client that tries again in a version from the list is served."""
    meta = META | {"io.modelcontextprotocol/protocolVersion": wanted}
    (refused,) = told("tools/list", params={"_meta": meta})
    (found,) = told("server/discover", params={"_meta": META})
    supported = json.loads(refused)["error"]["data"]["supported"]

    assert json.loads(found)["result"]["supportedVersions"] == supported
    for version in supported:
        again = META | {"io.modelcontextprotocol/protocolVersion": version}
        (say,) = told("tools/list", params={"_meta": again})
        assert "result" in json.loads(say)
