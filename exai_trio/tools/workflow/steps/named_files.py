"""The files that a step names, as their steps are kept with them: resolved, and of directories what is worth reading."""

from collections.abc import Sequence, Set as AbstractSet
from functools import partial

import trio

from exai_trio import structs
from exai_trio.errors import NotFoundError
from exai_trio.tools.arguments import concerning
from exai_trio.tools.base import Caller, Services
from exai_trio.tools.workflow.step_arguments import Stepwise
from exai_trio.workspace import directories, safe_open, sendable, upload_source
from exai_trio.workspace.directories import Folder
from exai_trio.workspace.images import is_data_url
from exai_trio.workspace.sendable import Access


@structs.frozen
class Named:
    """A path that the step names: resolved, or of a directory the files in it that are worth reading; `missing` if nothing is there."""

    resolved: str
    paths: tuple[str, ...]
    missing: NotFoundError | None = None


def looked_at(arguments: Stepwise, caller: Caller) -> tuple[Named, ...] | None:
    """The step's relevant files, if all that it names was found readable when the call came; else the disk is to be asked."""
    files, images = _given(arguments)
    found = [caller.found.paths.get(name) for name in (*files, *images)]
    if None in found:
        return None
    return tuple(Named(path, (path,)) for path in found[: len(files)] if path)


async def look(arguments: Stepwise, caller: Caller, services: Services) -> tuple[Named, ...]:
    """The step's relevant files. Raises: ArgumentError for any file or image outside the roots, or that looks like a secret.
    Cancelling waits for the file that is looked at."""
    files, images = _given(arguments)
    with concerning("images"):
        await services.files.check(images, "inside", caller.roots)
    with concerning("relevant_files"):
        find = partial(_found, files, services.files.access(caller.roots))
        return await trio.to_thread.run_sync(
            find, thread_name="exai files", limiter=services.files.limiter
        )


def _given(arguments: Stepwise) -> tuple[tuple[str, ...], list[str]]:
    images = [path for path in getattr(arguments, "images", ()) if not is_data_url(path)]
    return getattr(arguments, "relevant_files", ()), images


def _found(given: Sequence[str], access: Access) -> tuple[Named, ...]:
    found: list[Named] = []
    for name in given:
        trio.from_thread.check_cancelled()
        resolved = access.resolve(name)
        folder, missing = Folder(files=()), None
        if safe_open.is_directory(resolved):
            sendable.check_folder(name, resolved)
            folder = directories.expand(resolved, access.roots)
        else:
            try:
                upload_source.check(name, resolved, access)
            except NotFoundError as fault:
                missing = fault
        itself = (str(resolved),) if folder.cut or not folder.files else ()
        found.append(Named(str(resolved), (*folder.files, *itself), missing))
    return tuple(found)


def allowed(
    named: Sequence[Named], known: AbstractSet[str], *, names_deleted: bool
) -> tuple[str, ...]:
    """Each path once; those that are `known` from before may be gone by now. Raises: NotFoundError for one that nobody has ever seen."""
    with concerning("relevant_files"):
        for each in named:
            if each.missing and not names_deleted and each.resolved not in known:
                raise each.missing
    return tuple(dict.fromkeys(path for each in named for path in each.paths))
