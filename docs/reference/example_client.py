"""A client of EXAI's wire protocol: says hello, asks a model, prints what comes, acknowledges it.

python example_client.py "What is a nursery?"    # the daemon of this machine, of the same user
"""

import json
import os
import sys
from pathlib import Path

import trio
from trio_websocket import open_websocket_url

URL = f"ws://127.0.0.1:{os.environ.get('EXAI_WS_PORT', '8079')}/"


async def main(question):
    async with open_websocket_url(URL) as socket:
        await say(socket, op="hello", protocol=2, client_name="example", roots=[str(Path.cwd())])
        welcome = await hear(socket)
        if not welcome["ok"]:
            return (
                f"refused: {welcome['error']}"  # another user's daemon wants `token` in the hello
            )
        print(f"session {welcome['session_id']}", file=sys.stderr)
        arguments = {"prompt": question}
        await say(socket, op="call_tool", request_id="1", name="chat", arguments=arguments)
        outcome = await until_outcome(socket, "1")
    if not outcome["ok"]:
        return f"{outcome['error']['code']}: {outcome['error']['message']}"
    print(json.loads(outcome["outputs"][0]["text"])["content"])
    return 0


async def until_outcome(socket, request_id):
    """The one call_tool_res of a request; what comes before it is acknowledged and told."""
    while True:
        frame = await hear(socket)
        if "seq" in frame:  # the daemon keeps numbered frames until they are acknowledged
            await say(socket, op="ack", seq=frame["seq"])
        if frame.get("request_id") != request_id:
            continue
        if frame["op"] == "call_tool_res":
            return frame
        print(f"{frame['op']}: {frame.get('message', '')}", file=sys.stderr)


async def say(socket, **message):
    await socket.send_message(json.dumps(message))


async def hear(socket):
    return json.loads(await socket.get_message())


if __name__ == "__main__":
    sys.exit(trio.run(main, " ".join(sys.argv[1:]) or "Are you there?"))
