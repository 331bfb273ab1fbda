"""The header by which a TCP proxy says whose connection it passes on (the PROXY protocol, versions 1 and 2). Pure: no trio, no clock, no I/O."""

from ipaddress import IPv4Address, IPv6Address, ip_address
from typing import Final

from exai_trio import structs

MOST_BYTES: Final = 4096  # of a header; what proxies send of themselves is not of use here
_TEXT: Final = b"PROXY "
_LONGEST_TEXT: Final = 107
_BINARY: Final = b"\r\n\r\n\0\r\nQUIT\n"
_FIXED: Final = 16
_LOCAL, _PASSED_ON = 0x20, 0x21
_SIZES: Final = {0x11: 4, 0x21: 16}  # of an address: TCP over IPv4, over IPv6
_VERSIONS: Final = {b"TCP4": 4, b"TCP6": 6}


class ProxyHeaderError(ValueError):
    """It begins as a header and is none."""


@structs.frozen
class ProxyHeader:
    """`length` are its bytes; `address` is None where the proxy speaks for itself, or does not say for whom."""

    length: int
    address: str | None


def proxy_header(data: bytes) -> ProxyHeader | None:
    """What `data` begins with; None if that is no header. Raises ProxyHeaderError."""
    if data.startswith(_BINARY):
        return _binary(data)
    if data.startswith(_TEXT):
        return _text(data)
    if data and (_BINARY.startswith(data) or _TEXT.startswith(data)):
        raise ProxyHeaderError("it is cut off")
    return None


def _text(data: bytes) -> ProxyHeader:
    line, end, _ = data[:_LONGEST_TEXT].partition(b"\r\n")
    if not end:
        raise ProxyHeaderError("its line does not end")
    length, words = len(line) + len(end), line.split(b" ")
    if words[1] == b"UNKNOWN":
        return ProxyHeader(length, None)
    if len(words) != len((_TEXT, "family", "from", "to", "port", "port")):
        raise ProxyHeaderError("it has not two addresses and two ports")
    version = _VERSIONS.get(words[1])
    addresses = [client_address(word) for word in words[2:4]]
    if any(address.version != version for address in addresses):
        raise ProxyHeaderError("its addresses are not of the family that it names")
    if not all(map(_is_port, words[4:])):
        raise ProxyHeaderError("a port is no number up to 65535")
    return ProxyHeader(length, str(addresses[0]))


def client_address(said: bytes) -> IPv4Address | IPv6Address:
    """Raises ProxyHeaderError for what is none; a zone says nothing to another machine."""
    try:
        address = ip_address(said.decode("ascii"))
    except ValueError as fault:
        raise ProxyHeaderError("an address is none") from fault
    if b"%" in said:
        raise ProxyHeaderError("an address has a zone")
    return address


def _is_port(word: bytes) -> bool:
    return word.isdigit() and len(word) <= len("65535") and int(word) < 2**16


def _binary(data: bytes) -> ProxyHeader:
    if len(data) < _FIXED:
        raise ProxyHeaderError("it is cut off")
    command, family = data[12], data[13]
    length = _FIXED + int.from_bytes(data[14:_FIXED], "big")
    if length > min(len(data), MOST_BYTES):
        raise ProxyHeaderError("it is cut off, or too long")
    if command not in {_LOCAL, _PASSED_ON}:
        raise ProxyHeaderError("its version or command is unknown")
    size = _SIZES.get(family)
    if command == _LOCAL or size is None:
        return ProxyHeader(length, None)
    if length < _FIXED + 2 * size + 4:
        raise ProxyHeaderError("its addresses are cut off")
    return ProxyHeader(length, str(ip_address(data[_FIXED : _FIXED + size])))
