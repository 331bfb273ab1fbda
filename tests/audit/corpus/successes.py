from enum import Enum


class Status(Enum):
    OK = 1
    FAILED = 2


def save(row, table):
    try:
        table.save(row)
    except OSError as fault:  # planted: fault-as-success
        return {"status": "ok", "note": str(fault)}


def send(message, peer):
    try:
        peer.send(message)
    except ConnectionError:  # planted: fault-as-success
        return True


def check(server, log):
    try:
        server.ping()
    except TimeoutError as fault:  # planted: fault-as-success
        log.warning("no ping", fault=fault)
        return Status.OK


def upload(file, answer):
    try:
        file.upload()
    except ValueError as fault:  # planted: fault-as-success
        answer.status = "completed"
        answer.detail = repr(fault)
    return answer


def reply(call, send_reply):
    try:
        result = call.run()
    except LookupError as fault:  # planted: fault-as-success
        send_reply(success=True, text=str(fault))
    else:
        send_reply(success=True, text=result)


def answer(call, Response):
    try:
        return Response(call.run())
    except RuntimeError as fault:  # planted: fault-as-success
        return Response(body=str(fault), is_error=False, status_code=200)


def done(job):
    try:
        job.run()
    except ArithmeticError as fault:  # planted: fault-as-success
        job.note(fault)
        job.done = True
