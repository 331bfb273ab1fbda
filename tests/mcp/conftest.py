"""A server and its client, in every version."""

import json

import pytest
from mcp_types import methods

from exai_trio.mcp import jsonrpc
from exai_trio.mcp.server import Server
from exai_trio.mcp.tool_list import listing_of
from exai_trio.mcp.versions import HANDSHAKE_VERSIONS, STATELESS_VERSIONS
from exai_trio.tools.registry import BUILT_IN, Registry

VERSIONS = (*HANDSHAKE_VERSIONS, *STATELESS_VERSIONS)
LISTING = listing_of(Registry(tools=BUILT_IN, profile="full").listing())


class Talk:
    """A server and one client of this version."""

    def __init__(self, version, listing=LISTING):
        self.version = version
        self.lines = []
        self.server = Server(self, listing)
        if version in HANDSHAKE_VERSIONS:
            self.ask("initialize", protocolVersion=version, capabilities={})

    def effects(self, method, **params):
        if self.version in STATELESS_VERSIONS:
            prefix = "io.modelcontextprotocol/"
            meta = {prefix + "protocolVersion": self.version, prefix + "clientCapabilities": {}}
            params["_meta"] = meta
        line = json.dumps({"jsonrpc": "2.0", "id": 1, "method": method, "params": params})
        return self.server.hear(jsonrpc.parse(line.encode()))

    def put(self, line, request=None, *, progress=False):
        self.lines.append(line)

    def ask(self, method, **params):
        assert [] == self.effects(method, **params)
        return json.loads(self.lines.pop())

    def valid(self, method, answer):
        methods.validate_server_result(method, self.version, answer["result"])
        return answer["result"]


@pytest.fixture(params=VERSIONS)
def talk(request):
    return Talk(request.param)


@pytest.fixture
def make_talk():
    return Talk


@pytest.fixture
def listing():
    """Every built-in tool."""
    return LISTING
