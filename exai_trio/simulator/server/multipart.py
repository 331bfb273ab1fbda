"""Reading one multipart/form-data body. Pure: no trio, no clock, no I/O."""

import re
from email.message import Message

import attrs

from exai_trio import structs

_LINE = b"\r\n"


@structs.frozen(kw_only=True)
class Form:
    """The plain fields, and the one file, if there is one."""

    fields: dict[str, str]
    filename: str | None = None
    content: bytes = attrs.field(default=b"", repr=False)


def form_from(content_type: str, body: bytes) -> Form | None:
    """The form, or None when the body is none."""
    header = Message()
    header["content-type"] = content_type
    boundary = header.get_boundary()
    if header.get_content_type() != "multipart/form-data" or not boundary:
        return None
    fields: dict[str, str] = {}
    form = Form(fields=fields)
    for part in (_LINE + body).split(_LINE + b"--" + boundary.encode("latin-1"))[1:]:
        head, found, content = part.partition(_LINE * 2)
        if not found:
            continue
        name, filename = _names(head.decode("utf-8", "replace"))
        if filename is None:
            fields[name] = content.decode("utf-8", "replace")
        else:
            form = attrs.evolve(form, filename=filename, content=content)
    return form


def _names(head: str) -> tuple[str, str | None]:
    """The field's name and file name, from the part's Content-Disposition."""
    name = re.search(r'[ ;]name="([^"]*)"', head)
    filename = re.search(r'filename="((?:[^"\\]|\\.)*)"', head)
    return (name[1] if name else ""), (filename[1] if filename else None)
