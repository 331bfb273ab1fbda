"""The connections to the store's file: when they are made anew, on what, and what becomes of the old ones."""

import attrs
import pytest

from exai_trio.errors import StorageError
from exai_trio.storage.sqlite.error_kinds import Damaged, NotOurs
from exai_trio.storage.sqlite.file.database_file import Opened, Pair
from exai_trio.storage.sqlite.file.quarantine import marker


@attrs.define(eq=False)
class Connection:
    closed: int = 0

    def close(self):
        self.closed += 1


@attrs.define(eq=False)
class File:
    """Connects to a file that is written when it is opened, after raising what is in `faults`."""

    path: object
    faults: list = attrs.field(factory=list)
    pairs: list = attrs.field(factory=list)
    copied: list = attrs.field(factory=list)

    def connect(self, path):
        if self.faults:
            raise self.faults.pop(0)
        path.touch()
        self.pairs.append(Pair(Connection(), Connection()))
        return self.pairs[-1]

    def copy(self, writer, path):
        self.copied.append(writer)
        path.touch()

    def opened(self, *, lasting=True):
        return Opened(self.path, self.connect, self.copy, lasting)

    @property
    def closed(self):
        return [(pair.reader.closed, pair.writer.closed) for pair in self.pairs]


@pytest.fixture
def file(tmp_path):
    return File(tmp_path / "exai.db")


def test_a_lasting_store_is_without_its_file_until_that_can_be_opened(file):
    """Readers hear why; the next write opens it."""
    file.faults = [StorageError("the disk sleeps")]
    opened = file.opened()
    opened.open()
    with pytest.raises(StorageError, match="the disk sleeps"), opened.reader():
        pass

    assert opened.writer() is file.pairs[0].writer


@pytest.mark.parametrize(
    ("fault", "lasting"), [(StorageError("x"), False), (Damaged("x"), False), (NotOurs("x"), True)]
)
def test_what_is_not_to_last_or_not_ours_is_refused_at_once(file, fault, lasting):
    """Nothing is set aside."""
    file.path.write_bytes(b"old")
    file.faults = [fault]
    with pytest.raises(type(fault)):
        file.opened(lasting=lasting).open()

    assert b"old" == file.path.read_bytes()


def test_a_file_that_is_damaged_when_it_is_opened_is_set_aside(file):
    """The store begins with a fresh one."""
    file.path.write_bytes(b"broken")
    file.faults = [Damaged("x")]
    opened = file.opened()
    opened.open()

    assert opened.writer() is file.pairs[0].writer
    assert b"broken" == opened.set_aside.read_bytes()
    assert not marker(file.path).exists()


def test_damage_is_noted_on_the_disk_and_left_behind_with_the_next_write(file):
    """A daemon that is killed before that leaves the note to the next."""
    opened = file.opened()
    opened.open()
    helped = opened.note_damage()
    noted = marker(file.path).exists()
    writers = [opened.writer(), opened.writer()]

    assert (True, True) == (helped, noted)
    assert [file.pairs[1].writer] * 2 == writers
    assert [(1, 1), (0, 0)] == file.closed


def test_a_damaged_file_that_cannot_be_set_aside_is_a_storage_error(tmp_path):
    """Its name is too long for another ending, say."""
    file = File(tmp_path / ("x" * 250))
    opened = file.opened()
    opened.open()
    opened.note_damage()

    with pytest.raises(StorageError, match="cannot be set aside"):
        opened.writer()


def test_a_file_that_was_removed_is_written_anew_once(file):
    """What the open one holds is copied, the old connections are closed, and all is well again."""
    opened = file.opened()
    opened.open()
    there = opened.look()
    file.path.unlink()
    removed = opened.look()
    writers = [opened.writer(), opened.writer()]

    assert (False, True) == (there, removed)
    assert [file.pairs[0].writer] == file.copied
    assert [file.pairs[1].writer] * 2 == writers
    assert [(1, 1), (0, 0)] == file.closed
    assert opened.writer() is file.pairs[1].writer


def test_only_an_open_file_of_a_lasting_store_can_be_missed(file):
    """There is nothing to copy else."""
    passing, closed = file.opened(lasting=False), file.opened()
    passing.open()
    file.path.unlink()

    assert [False, False] == [passing.look(), closed.look()]


def test_a_closed_store_has_no_connection_any_more(file):
    """It is closed once, whoever closes it again."""
    opened = file.opened()
    opened.open()
    opened.close()
    opened.close()
    with pytest.raises(StorageError, match="closed"), opened.reader():
        pass

    assert [(1, 1)] == file.closed
