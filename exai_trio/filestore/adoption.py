"""What an upload whose answer was lost has left at a provider: found by name, size and time, if it can be only one file. Pure."""

from collections.abc import Collection, Iterable
from pathlib import PurePath
from typing import Final, Protocol

from exai_trio.storage.contracts.provider_uploads import Claim, ProviderUpload

CLOCKS_DIFFER_S: Final = 600.0  # the provider's from the database's, at most


class Shelved(Protocol):
    """A file as a provider lists it: `size` in bytes, `created_at` in unix seconds by its clock."""

    @property
    def id(self) -> str: ...

    @property
    def filename(self) -> str: ...

    @property
    def size(self) -> int: ...

    @property
    def created_at(self) -> int: ...


def candidates(
    claim: Claim, listed: Iterable[Shelved], known: Collection[str]
) -> tuple[Shelved, ...]:
    """Files that nobody knows and that the last claimant of this upload may have left; none if another upload could have left them."""
    upload = claim.upload
    if upload.began_at is None or claim.rivals:
        return ()
    return tuple(file for file in listed if file.id not in known and _is_of(file, upload))


def _is_of(file: Shelved, upload: ProviderUpload) -> bool:
    began_at = upload.began_at or 0.0
    alike = file.size == upload.file_size_bytes and _is_called(file.filename, upload.filename)
    return alike and file.created_at >= began_at - CLOCKS_DIFFER_S


def _is_called(name: str, ours: str) -> bool:
    """Kimi calls a second a.txt a(1).txt."""
    path = PurePath(ours)
    return name == ours or (name.startswith(f"{path.stem}(") and name.endswith(path.suffix))
