"""What a setting is: its variable, what it may be, and what it is for."""

from typing import Final

from exai_trio import structs
from exai_trio.settings.values import Kind

DAY_S: Final = 86400


@structs.frozen(kw_only=True)
class Setting:
    """One variable. `about` is one line for people, `aliases` are further names that are read for it; a secret is sent to the
    address in the setting `sent_to`, by whoever reads both.
    """

    name: str
    kind: Kind
    about: str
    aliases: tuple[str, ...] = ()
    secret: bool = False
    sent_to: str = ""

    @property
    def field(self) -> str:
        return self.name.removeprefix("EXAI_").lower()


@structs.frozen(kw_only=True)
class Group:
    """Settings that belong together, under a heading."""

    title: str
    settings: tuple[Setting, ...]


def group(title: str, *settings: Setting) -> Group:
    return Group(title=title, settings=settings)


def setting(name: str, kind: Kind, about: str, *aliases: str) -> Setting:
    return Setting(name=name, kind=kind, about=about, aliases=aliases)


def secret(name: str, kind: Kind, about: str, *aliases: str, sent_to: str = "") -> Setting:
    return Setting(name=name, kind=kind, about=about, aliases=aliases, secret=True, sent_to=sent_to)
