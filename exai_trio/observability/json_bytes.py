"""Any data as the bytes of a JSON text: what has no form of its own as `str` shows it, half characters as question marks. Pure."""

from typing import cast

import msgspec


def json_bytes(value: object) -> bytes:
    try:
        return msgspec.json.encode(value, enc_hook=str)
    except UnicodeEncodeError:
        return msgspec.json.encode(_whole(value), enc_hook=str)


def _whole(value: object) -> object:
    match value:
        case dict():
            items = cast("dict[object, object]", value).items()
            return {_whole(key): _whole(each) for key, each in items}
        case list() | tuple():
            return [_whole(each) for each in cast("list[object]", value)]
        case str():
            return value.encode(errors="replace").decode()
        case _:
            return value
