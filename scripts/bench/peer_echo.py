"""An MCP server on stdio that gives the prompt back, as lean as can be: what other relays are measured with."""

import sys

import msgspec

_TOOL = {
    "name": "test_echo",
    "description": "Gives the prompt back",
    "inputSchema": {"type": "object", "properties": {"prompt": {"type": "string"}}},
}


def _result(said: dict) -> dict:
    match said["method"]:
        case "initialize":
            version = said["params"]["protocolVersion"]
            server = {"name": "echo", "version": "1"}
            return {"protocolVersion": version, "capabilities": {"tools": {}}, "serverInfo": server}
        case "tools/list":
            return {"tools": [_TOOL]}
        case "tools/call":
            prompt = said["params"]["arguments"]["prompt"]
            return {"content": [{"type": "text", "text": prompt}]}
        case _:
            return {}


def main() -> None:
    """Until stdin ends."""
    for line in sys.stdin.buffer:
        said = msgspec.json.decode(line)
        if "id" in said:
            answer = {"jsonrpc": "2.0", "id": said["id"], "result": _result(said)}
            sys.stdout.buffer.write(msgspec.json.encode(answer) + b"\n")
            sys.stdout.buffer.flush()


if __name__ == "__main__":
    main()
