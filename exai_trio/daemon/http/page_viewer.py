"""Who asks over HTTP, and what may be shown to them or done by them. Pure."""

from typing import Final, Literal

from exai_trio import structs
from exai_trio.principals import OWNER, principal_of

# What a route gives: nothing that matters, figures, what clients and models wrote, a change, or what concerns everybody.
Gives = Literal["open", "figures", "texts", "changes", "administration"]
_CHANGING: Final = frozenset({"user", "admin"})


@structs.frozen(kw_only=True)
class Viewer:
    """`principal` is "" for whoever has not logged in; `is_near` is on this machine, and no proxy of it."""

    principal: str = ""
    role: str = ""
    is_near: bool = False

    @property
    def has_logged_in(self) -> bool:
        return self.principal != ""

    @property
    def is_admin(self) -> bool:
        return self.role == "admin"

    def may(self, gives: Gives) -> bool:
        match gives:
            case "open":
                return True
            case "figures":
                return self.is_near or self.has_logged_in
            case "texts":
                return self.has_logged_in
            case "changes":
                return self.has_logged_in and self.role in _CHANGING
            case "administration":
                return self.is_admin

    def may_see(self, principal: str) -> bool:
        """Whether what belongs to that principal is theirs to see and to change."""
        return self.is_admin or principal_of(principal) == self.principal


def viewer_of(principal: str, role: str = "", *, is_near: bool = False) -> Viewer:
    """Whoever has shown who they are: the home's owner may do everything, unless it comes as a viewer, others what is their own."""
    known = principal_of(principal)
    is_all = known == OWNER and role != "viewer"
    return Viewer(principal=known, role="admin" if is_all else role or "user", is_near=is_near)
