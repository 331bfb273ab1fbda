"""Values that stand for secrets: they are searched for wherever none may be."""

from typing import Final

KEY: Final = "canary-key-7be20c"
TOKEN: Final = "canary-token-d1f3a9"  # noqa: S105  # nothing takes it but the daemon of the check
