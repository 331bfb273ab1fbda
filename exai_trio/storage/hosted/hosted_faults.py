"""What can go wrong with a hosted store, by what is to be done about it. Pure: no HTTP here.

No message quotes what was sent or kept: a database's own details do.
"""

from exai_trio import structs
from exai_trio.errors import StorageError


@structs.define(kw_only=True, eq=False, str=False)
class HostedFault(StorageError):
    """`reason` is the code that it was told by: a SQLSTATE, PostgREST's, or a status."""

    reason: str = ""


class HostedAway(HostedFault):
    """It cannot be reached, is overloaded, or takes no writes: later it will. What was asked may have been done."""


class KeyRefused(HostedFault):
    """The key is not accepted, or may not do this: somebody must mend it."""


class SchemaDiffers(HostedFault):
    """The tables or functions are not those of this version: somebody must migrate."""


class TooLarge(HostedFault):
    """The request is larger than the server takes."""


class EntryRefused(HostedFault):
    """The database does not take this, today or tomorrow."""

    retryable = False
