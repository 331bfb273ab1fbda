"""Kinds of StorageError that the store itself acts upon. Pure: no trio, no clock, no I/O."""

from exai_trio.errors import StorageError


class DiskFull(StorageError):
    """There is no room; what was to be written is not."""


class Damaged(StorageError):
    """The file's content is broken: only another file helps."""
