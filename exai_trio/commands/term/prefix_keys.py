"""The keys of `exai term attach` that are not the program's: Ctrl-] and the one behind it. Pure: no trio, no clock, no I/O."""

from typing import Final, Literal

from exai_trio import structs

PREFIX: Final = b"\x1d"  # Ctrl-]
Wish = Literal["detach", "kill"]
_WISHES: Final[dict[bytes, Wish]] = {b"d": "detach", b"k": "kill"}


@structs.define
class PrefixKeys:
    """Ctrl-] d detaches, Ctrl-] k kills, Ctrl-] Ctrl-] is typed as one; behind any other key both are typed."""

    _is_open: bool = False

    def take(self, data: bytes) -> tuple[bytes, list[Wish]]:
        """What of it is the program's, and what the user wants of us; nothing is typed behind a wish to detach."""
        typed, wishes = bytearray(), list[Wish]()
        for key in (data[at : at + 1] for at in range(len(data))):
            if not self._is_open:
                self._is_open = key == PREFIX
                typed += b"" if self._is_open else key
                continue
            self._is_open = False
            if key in _WISHES:
                wishes.append(_WISHES[key])
                if key == b"d":
                    break
            else:
                typed += key if key == PREFIX else PREFIX + key
        return bytes(typed), wishes
