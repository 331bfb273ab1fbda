"""The JSON of files and model lists, which both services and most others share. Pure."""

from typing import Final

import msgspec

from exai_trio import structs

from .base import OfferedModel, ProviderFile


@structs.frozen
class File:
    id: str
    filename: str = ""
    bytes: int = 0
    created_at: int = 0
    purpose: str = ""

    @property
    def ours(self) -> ProviderFile:
        return ProviderFile(
            id=self.id,
            filename=self.filename,
            size=self.bytes,
            created_at=self.created_at,
            purpose=self.purpose,
        )


@structs.frozen
class Files:
    data: list[File]


@structs.frozen
class Model:
    id: str
    context_length: int | None = None
    supports_image_in: bool | None = None
    supports_reasoning: bool | None = None

    @property
    def offered(self) -> OfferedModel:
        return OfferedModel(
            name=self.id,
            context_window=self.context_length,
            sees_images=self.supports_image_in,
            reasons=self.supports_reasoning,
        )


@structs.frozen
class Models:
    data: list[Model]


file: Final = msgspec.json.Decoder(File).decode
files: Final = msgspec.json.Decoder(Files).decode
models: Final = msgspec.json.Decoder(Models).decode
