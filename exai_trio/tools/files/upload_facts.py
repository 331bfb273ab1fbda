"""What answers say of an uploaded file: how it went, whether it was sent, and where else it is. Pure."""

from collections.abc import Mapping
from typing import Any

from exai_trio.filestore.file_gateway import Given
from exai_trio.storage.contracts.provider_uploads import ProviderUpload


def of(
    upload: ProviderUpload | None, *, reused: bool, hosted: Mapping[str, str] | None
) -> dict[str, Any]:
    """`supabase_file_id` is null where contents are kept in EXAI_HOME alone, and of what is not at Supabase yet; `hosted` says by hash
    why not."""
    facts: dict[str, Any] = {
        "upload_method": upload.upload_method if upload else None,
        "reused": reused,
        "supabase_file_id": None,
    }
    if upload is None or hosted is None:
        return facts
    why = hosted.get(upload.sha256)
    if why is not None:
        return facts | {"supabase_notice": f"Not at Supabase yet, and sent later: {why}"}
    return facts | {"supabase_file_id": upload.file_id or None}


def notice(given: Given) -> dict[str, str]:
    """What whoever reads the answer has to know besides, if anything."""
    if given.upload.upload_method == "storage":
        return {
            "notice": "stored in EXAI only: no model can read a file of more than 100 MB;"
            " smart_file_download gives it back"
        }
    if given.unclear:
        return {
            "notice": f"{given.unclear} files at the provider could be an earlier upload of this one whose answer was lost;"
            " they were left alone"
        }
    return {}
