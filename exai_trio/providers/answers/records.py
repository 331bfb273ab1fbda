"""The JSON of files and model lists, which both services and most others share; and how any small record is read.

Pure, but that it logs which fields could not be read.
"""

import logging
from collections.abc import Callable
from functools import partial
from typing import Final, TypeVar, cast

from exai_trio import structs

from ..base import OfferedModel, ProviderFile
from ..refusals.complaints import Complaint, complaint_of
from . import lenient_records
from .loose_json import NotJson, value as json_value

T = TypeVar("T")
log = logging.getLogger("exai.providers")

_MOST_BEFORE_AN_ERROR: Final = (
    4096  # bytes; an error stands at the beginning, a file's text may follow
)


@structs.frozen
class File:
    id: str | int
    filename: str = ""
    bytes: int = 0
    created_at: int = 0
    purpose: str = ""

    @property
    def ours(self) -> ProviderFile:
        return ProviderFile(
            id=str(self.id),
            filename=self.filename,
            size=self.bytes,
            created_at=self.created_at,
            purpose=self.purpose,
        )


@structs.frozen
class Files:
    data: list[File] | None


@structs.frozen
class Model:
    id: str
    context_length: int | None = None
    supports_image_in: bool | None = None
    supports_reasoning: bool | None = None

    @property
    def offered(self) -> OfferedModel:
        window = self.context_length
        return OfferedModel(
            name=self.id,
            context_window=window if window and window > 0 else None,
            sees_images=self.supports_image_in,
            reasons=self.supports_reasoning,
        )


@structs.frozen
class Models:
    data: list[Model] | None


def odd_fields(what: str, names: list[str]) -> None:
    """A word in the log about what a service sent and we could not read."""
    log.info("fields of an answer not readable", extra={"of": what, "fields": sorted(set(names))})


def reader(kind: type[T]) -> Callable[[bytes], T]:
    """Decodes a body as far as it can be read. Raises: forgiving.Unreadable where what is needed cannot."""
    return lenient_records.reader(kind, partial(odd_fields, kind.__name__.strip("_").lower()))


def error_in(said: bytes) -> Complaint | None:
    """The error that stands in a body instead of what was asked for."""
    if b'"error"' not in said[:_MOST_BEFORE_AN_ERROR]:
        return None
    try:
        found = json_value(said)
    except NotJson:  # audit: empty-handler, because a body that is no JSON holds no complaint
        return None
    error = cast("dict[str, object]", found).get("error") if isinstance(found, dict) else None
    return complaint_of(200, {"error": error}) if error else None


file: Final = reader(File)
files: Final = reader(Files)
models: Final = reader(Models)
