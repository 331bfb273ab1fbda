from datetime import timedelta

import trio


async def reconnecting(connect):
    link = connect()
    while True:
        try:
            await link.send()
        except ConnectionError:  # planted: silent-loop
            link = connect()


def handled(call, Response):
    try:
        return call.run()
    except ValueError:  # planted: fault-as-success
        return Response("nothing", 200)


def until(scope):
    scope.deadline = trio.current_time() + 5  # planted: duration
    return timedelta(minutes=5)  # planted: duration


def ended(thread, client):
    thread.join(10)  # planted: duration
    return client.Timeout(30)  # planted: duration


async def opened(host):
    stream = await trio.open_tcp_stream(host, 443)  # planted: port
    return await stream.receive_some(4096)  # planted: limit


def chosen():
    return "/app/config.json", "kimi-latest"  # planted: path model
