"""One server in one editor's file: put in, and taken out so that the file is as it was.

Whatever is written is read again first: all that stood there must still stand there, or nothing is written.
"""

import copy
from collections.abc import Mapping
from typing import Any

from exai_trio import structs
from exai_trio.commands.editors.claude_command import ClaudeCommand
from exai_trio.commands.editors.editor_files import CannotChange, EditorFile
from exai_trio.commands.editors.editor_formats import Editor, is_ours, language
from exai_trio.commands.editors.json_spans import Unreadable


@structs.frozen(kw_only=True)
class Registration:
    """`own` is the editor's own command, where there is one that is to be used."""

    shape: Editor
    file: EditorFile
    own: ClaudeCommand | None = None

    def current(self) -> Any:  # the editor's
        """The entry that is there; None if there is none. Raises CannotChange."""
        return self._value(self.file.text() or "")

    def install(self, entry: Mapping[str, Any]) -> str:
        """What was done. Raises CannotChange; then nothing was."""
        text = self.file.text()
        there = self._value(text or "")
        if there == entry:
            return f"{self.shape.title} has it already ({self.file.path})"
        changed = self._changed(text or "", entry)
        keep = None if there is not None and is_ours(there) else text
        if not self._add_by_command(entry, there, keep):
            self.file.write(changed, keep=keep)
        if there is None:
            return f"{self.shape.title} knows it now: {self.file.path}"
        if is_ours(there):
            return f"{self.shape.title} knows it as it is now: {self.file.path}"
        return (
            f"{self.shape.title} knows it now: {self.file.path}; the other server called exai that was there is kept in"
            f" {self.file.copy}, and --remove brings it back"
        )

    def remove(self) -> str:
        """What was done. Raises CannotChange; then nothing was."""
        text = self.file.text()
        there = self._value(text or "")
        if text is None or there is None:
            return f"{self.shape.title} does not have it ({self.file.path})"
        if not is_ours(there):
            raise CannotChange(
                f"{self.file.path} has a server called exai that is not this program; it was left as it is"
            )
        before = self.file.text_before()
        if not self._remove_by_command(before):
            self._take_out(text, there, before)
        self.file.drop_copy()
        return f"{self.shape.title} knows it no more: {self.file.path}"

    def _take_out(self, text: str, there: Mapping[str, Any], before: str | None) -> None:
        if before is not None and self._fits(before, text, there):
            self.file.write(before)
        elif before is None and text == self._changed("", there):
            self.file.delete()
        else:
            self.file.write(self._without(text, before))

    def _fits(self, before: str, text: str, there: Mapping[str, Any]) -> bool:
        """Whether the file is the copy and our entry, and nothing else."""
        try:
            return self._changed(before, there) == text
        except CannotChange:
            # audit: empty-handler, because False is the answer: it does not fit
            return False

    def _without(self, text: str, before: str | None) -> str:
        """The text with what was there before us in our place, which is mostly nothing."""
        old = None if before is None else self._value(before)
        if old is not None:
            return self._changed(text, old)
        had_table = before is not None and self._table(before) is not None
        shape, module = self.shape, language(self.shape)
        changed: str = module.without_value(text, shape.path, table_too=not had_table)
        expected = module.as_value(text)
        expected[shape.table].pop(shape.path[-1])
        if not expected[shape.table] and not had_table:
            del expected[shape.table]
        self._check(changed, expected)
        return changed

    def _changed(self, text: str, entry: Mapping[str, Any]) -> str:
        """Raises CannotChange."""
        module, shape = language(self.shape), self.shape
        try:
            changed: str = module.with_value(text, shape.path, entry, shape.head)
            expected = copy.deepcopy(module.as_value(text))
        except Unreadable as fault:
            raise self._broken(fault) from fault
        expected.setdefault(shape.table, {})[shape.path[-1]] = entry
        self._check(changed, expected if text.strip() else {**shape.head, **expected})
        return changed

    def _check(self, changed: str, expected: object) -> None:
        try:
            if language(self.shape).as_value(changed) == expected:
                return
        except Unreadable:
            # audit: empty-handler, because it is raised below, with what to do
            pass
        raise CannotChange(
            f"{self.file.path} is written in a way that it cannot be changed safely; nothing was changed. {self._paste}"
        )

    def _value(self, text: str) -> Any:  # the editor's
        try:
            return language(self.shape).value_at(text, self.shape.path)
        except Unreadable as fault:
            raise self._broken(fault) from fault

    def _table(self, text: str) -> object:
        return language(self.shape).value_at(text, self.shape.path[:-1])

    def _broken(self, fault: Unreadable) -> CannotChange:
        return CannotChange(
            f"{self.file.path} cannot be read by {self.shape.title} either ({fault}); mend it first. Nothing was changed"
        )

    @property
    def _paste(self) -> str:
        return "`exai config --mcp EDITOR` prints what to put there"

    def _add_by_command(
        self,
        entry: Mapping[str, Any],
        there: object,
        keep: str | None,
    ) -> bool:
        """Whether the editor's command did it. What it has left of a failure is mended by who writes the file next."""
        if self.own is None:
            return False
        if keep is not None:
            self.file.write(self.file.text() or "", keep=keep)
        if there is not None:
            self.own.remove()
        return self.own.add(entry) and self.current() == entry

    def _remove_by_command(self, before: str | None) -> bool:
        """Whether the editor's command did it, and nothing is left for us."""
        if self.own is None or (before is not None and self._value(before) is not None):
            return False
        if not self.own.remove() or self.current() is not None:
            return False
        self._drop_empty_table(before)
        return True

    def _drop_empty_table(self, before: str | None) -> None:
        """The command leaves a table behind that was not there."""
        text = self.file.text() or ""
        if before is not None and self._table(before) is None and self._table(text) == {}:
            self.file.write(language(self.shape).without_value(text, self.shape.path[:-1]))
