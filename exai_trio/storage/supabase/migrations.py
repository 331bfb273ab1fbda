"""The steps from an empty database to today's, as SQL files that are never edited once released. No database here.

`NNNN_name.sql` is for every PostgreSQL; `NNNN_name.supabase.sql` beside it has what only Supabase knows: roles, row level security, and
the notice to PostgREST.
"""

import hashlib
from importlib.resources import files
from string import Template
from typing import Final

from exai_trio import structs

_FOLDER: Final = "sql"
_FOR_SUPABASE: Final = ".supabase.sql"
_PLAIN: Final = ".sql"
_NOTE: Final = Template(
    "insert into public.schema_version (version, description, sha256)"
    " values ($version, '$description', '$sha256');"
)


@structs.frozen(kw_only=True)
class Migration:
    """One step. `for_supabase` comes after `sql`, in the same transaction; `sha256` is of both."""

    version: int
    description: str
    sql: str
    for_supabase: str

    @property
    def sha256(self) -> str:
        return hashlib.sha256((self.sql + self.for_supabase).encode()).hexdigest()

    @property
    def whole(self) -> str:
        """Everything that Supabase's SQL editor is to run for this step, the note of it included."""
        return f"begin;\n{self.sql}\n{self.for_supabase}\n{self._note}\ncommit;\n"

    @property
    def _note(self) -> str:
        return _NOTE.substitute(
            version=self.version, description=self.description, sha256=self.sha256
        )


def migrations() -> tuple[Migration, ...]:
    """In the order in which they are applied."""
    folder = files("exai_trio.storage.supabase").joinpath(_FOLDER)
    found = (one for one in folder.iterdir() if one.name.endswith(_PLAIN))
    texts = {one.name: one.read_text(encoding="utf-8") for one in found}
    plain = sorted(name for name in texts if not name.endswith(_FOR_SUPABASE))
    return tuple(_migration(name.removesuffix(_PLAIN), texts) for name in plain)


def _migration(name: str, texts: dict[str, str]) -> Migration:
    number, _, words = name.partition("_")
    return Migration(
        version=int(number),
        description=words.replace("_", " "),
        sql=texts[name + _PLAIN],
        for_supabase=texts.get(name + _FOR_SUPABASE, ""),
    )


def editor_link() -> str:
    """Where SQL is run by hand, with a place for the project's id."""
    return files("exai_trio.storage.supabase").joinpath(_FOLDER, "editor.link").read_text().strip()


def newest() -> int:
    """The version that this EXAI is made for."""
    return max(each.version for each in migrations())
