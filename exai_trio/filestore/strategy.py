"""Which way a file takes: into the prompt, straight to the provider, over the store, or into the store alone. Pure."""

from typing import Final

from exai_trio import structs
from exai_trio.errors import ArgumentError
from exai_trio.storage.contracts.provider_uploads import UploadMethod

KB: Final = 1024
MB: Final = 1024 * KB

SMALL: Final = 50 * KB  # below this a transfer costs more than the tokens
LARGEST_EMBEDDED: Final = MB // 2
LARGEST_DIRECT: Final = 5 * MB  # up to here nothing is stored: it is read again from where it is
LARGEST_FOR_MODELS: Final = 100 * MB
LARGEST: Final = 512 * MB


@structs.frozen(kw_only=True)
class Wanted:
    """What is to be done with a file of so many bytes. `asked`: a model is asked about it, so text may go into the prompt, if it `fits`.

    `limit`: the largest file that the provider takes, in bytes; None if that is not known.
    """

    size: int
    provider: str
    name: str = "The file"
    asked: bool = False
    is_text: bool = False
    fits: bool = False
    limit: int | None = None


def way(wanted: Wanted) -> UploadMethod:
    """Raises: ArgumentError where there is none, naming one that takes it."""
    if not 0 < wanted.size <= LARGEST:
        raise _refused(wanted, f"files of 1 to {LARGEST:,} bytes are taken")
    if _is_embedded(wanted):
        return "embed"
    if wanted.asked and wanted.provider == "glm":
        raise _refused(wanted, "GLM is asked about text that fits into its prompt; Kimi takes it")
    if wanted.size <= LARGEST_DIRECT:
        return "direct"
    if wanted.size > LARGEST_FOR_MODELS:
        return "storage"
    if wanted.limit is not None and wanted.size > wanted.limit:
        advice = "; Kimi takes it" if wanted.provider == "glm" else ""
        raise _refused(wanted, f"{wanted.provider} takes {wanted.limit:,} bytes at most{advice}")
    return "gateway"


def _is_embedded(wanted: Wanted) -> bool:
    if not (wanted.asked and wanted.is_text):
        return False
    if wanted.size < SMALL:
        return True
    largest = LARGEST_DIRECT if wanted.provider == "glm" else LARGEST_EMBEDDED
    return wanted.fits and wanted.size <= largest


def _refused(wanted: Wanted, why: str) -> ArgumentError:
    return ArgumentError(
        f"{wanted.name} has {wanted.size:,} bytes: {why}.",
        details={"path": wanted.name, "value": wanted.size},
    )
