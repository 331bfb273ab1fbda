"""Reading EXAI_PROVIDERS_FILE, as the settings name it."""

from collections.abc import Mapping

import trio

from exai_trio.config import Config
from exai_trio.errors import ArgumentError

from .catalogue import Catalogue
from .providers_file import VARIABLE, Further, parse_providers


async def read_further(config: Config, catalogue: Catalogue, environ: Mapping[str, str]) -> Further:
    """What the file adds, nothing if none is named; `environ` has further keys. Raises ArgumentError, naming the setting.
    Cancelling takes effect when the file is read; nothing stays."""
    if config.providers_file is None:
        return Further()
    try:
        text = await trio.Path(config.providers_file).read_text("utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise ArgumentError(
            f"{VARIABLE}: {config.providers_file} cannot be read: {error}",
            details={"field": VARIABLE},
        ) from error
    keys = {**environ, **config.provider_keys}
    return parse_providers(text, catalogue, keys, config.stream_idle_s, config.withheld_keys)
