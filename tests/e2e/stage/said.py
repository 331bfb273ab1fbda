"""What a daemon says on stderr, without what all daemons of these tests say: that they have no provider."""

_ALWAYS = "exai: no provider is configured"


def unexpected(said: bytes) -> str:
    """The lines that a test has to account for."""
    lines = said.decode().splitlines(keepends=True)
    return "".join(line for line in lines if not line.startswith(_ALWAYS))
