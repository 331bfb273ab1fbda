"""`exai providers detect | add | test | remove`: model servers of this machine, and other endpoints, in EXAI_PROVIDERS_FILE."""

from collections.abc import Mapping
from typing import Any, Final

import trio

from exai_trio.commands.console import Console
from exai_trio.commands.invocation import Started
from exai_trio.commands.setup.providers_on_disk import (
    add_provider,
    add_server,
    names_on_disk,
    providers_path,
    remove_provider,
)
from exai_trio.commands.setup.try_providers import Trial, try_all
from exai_trio.errors import ArgumentError, NotFoundError
from exai_trio.providers.base import OfferedModel
from exai_trio.providers.catalogue import last_part
from exai_trio.providers.local_servers.addresses import (
    USUAL_PORTS,
    address_of,
    base_url_of,
    offered_url,
)
from exai_trio.providers.local_servers.detect import Found, detect, named
from exai_trio.providers.local_servers.look import Server, look
from exai_trio.providers.providers_file import BUILT_IN
from exai_trio.providers.providers_text import Entry
from exai_trio.settings.trust import is_key

FAILED, USAGE = 1, 2
_MOST_NAMED: Final = 8  # models on a line


def main(started: Started) -> int:
    console = Console.of_process()
    try:
        return trio.run(_act, started, console)
    except (ArgumentError, NotFoundError) as fault:
        console.note(f"exai: {fault}")
        return USAGE
    except (OSError, UnicodeError) as fault:
        console.note(
            f"exai: the file of providers cannot be read or written ({fault}); nothing was changed"
        )
        return FAILED


async def _act(started: Started, console: Console) -> int:
    """The exit code. Raises ArgumentError, NotFoundError, OSError, UnicodeError."""
    match started.arguments.action:
        case "detect":
            return await _detect(started, console)
        case "add":
            return await _add(started, console)
        case "test":
            return await _test(started, console)
        case _:
            name = started.arguments.name
            path = remove_provider(name, started.loaded.config, started.own_file)
            console.note(f"exai: {name} is no longer in {path}; {_NEXT_START}")
            return 0


_NEXT_START: Final = "a daemon that runs reads it at its next start"


async def _detect(started: Started, console: Console) -> int:
    found = await detect(started.environ)
    calls = _names(found)
    if started.arguments.json:
        console.say_json([_plain(calls[each], each) for each in found])
    else:
        for each in found:
            console.say("\n".join(_lines(calls[each], each)))
        console.note(_advice(calls, started.environ))
    return 0 if found else FAILED


def _names(found: tuple[Found, ...]) -> dict[Found, str]:
    """What each is called at `exai providers add`."""
    names: dict[Found, str] = {}
    for each in found:
        names[each] = named(each.server, names.values())
    return names


def _lines(name: str, found: Found) -> list[str]:
    server = found.server
    lines = [f"{name}: {server.title} at {server.base_url}"]
    if server.wants_key:
        lines.append(
            f"  wants a key: `exai providers add {name} --url {server.base_url} --key-variable {name.upper().replace('-', '_')}_API_KEY`"
        )
    if not found.ours:
        lines.append(
            "  its port is another user's, or nobody knows whose; it is used only if you name its address"
        )
    lines += [f"  {_model(model)}" for model in server.models[:_MOST_NAMED]]
    more = len(server.models) - _MOST_NAMED
    return [*lines, f"  … and {more:,} more"] if more > 0 else lines


def _model(model: OfferedModel) -> str:
    window = model.context_window
    known = "how much it holds is not known" if window is None else f"{window:,} tokens"
    return f"{last_part(model.name)} ({known})"


def _advice(names: Mapping[Found, str], environ: Mapping[str, str]) -> str:
    ports = ", ".join(map(str, USUAL_PORTS))
    usable = [name for each, name in names.items() if each.ours and not each.server.wants_key]
    parts = (
        [f"exai: no model server answers on the ports {ports} of this machine"] if not names else []
    )
    if usable:
        parts.append(f"exai: `exai providers add {usable[0]}` lets EXAI ask it")
    if url := offered_url(environ):
        parts.append(
            f"exai: OPENAI_BASE_URL is {url}; `exai providers add NAME --url {url}` lets EXAI ask that"
        )
    return "\n".join(parts) or "exai: `exai providers add NAME --url URL` lets EXAI ask one"


def _plain(name: str, found: Found) -> dict[str, Any]:
    server = found.server
    return {
        "name": name,
        "kind": server.kind or None,
        "base_url": server.base_url,
        "ours": found.ours,
        "wants_key": server.wants_key,
        "models": [
            {"name": model.name, "context_window": model.context_window} for model in server.models
        ],
    }


async def _add(started: Started, console: Console) -> int:
    if started.arguments.url:
        return await _add_address(started, console)
    server, name = await _the_one(started)
    return _added(started, console, server, name)


async def _the_one(started: Started) -> tuple[Server, str]:
    """The server that was found and is meant, and its name. Raises NotFoundError, ArgumentError naming the command that is right."""
    found = await detect(started.environ)
    names, wanted = _names(found), started.arguments.name
    meant = [each for each in found if wanted in {None, names[each]}]
    if not meant:
        there = ", ".join(names.values())
        found_are = f"found: {there}" if there else "none answers on the usual ports"
        raise NotFoundError(
            f"no model server called {wanted!r} was found ({found_are}); `exai providers add NAME --url URL` names its address"
            if wanted
            else "no model server was found on the usual ports; `exai providers add NAME --url URL` names its address"
        )
    if len(meant) > 1:
        raise ArgumentError(
            f"several were found; say which: `exai providers add {names[meant[0]]}`, or {', '.join(names[each] for each in meant[1:])}"
        )
    (one,) = meant
    if one.server.wants_key or not one.ours:
        raise ArgumentError("\n".join(_lines(names[one], one)[:3]))
    return one.server, names[one]


def _added(started: Started, console: Console, server: Server, name: str) -> int:
    config = started.loaded.config
    called = add_server(server, config, started.own_file, name)
    path = providers_path(config, started.own_file)
    console.note(
        f"exai: {called} ({server.title} at {server.base_url}) is in {path}; {_NEXT_START}"
    )
    for model in server.models[:_MOST_NAMED]:
        console.say(f"{called}/{_model(model)}")
    return 0


async def _add_address(started: Started, console: Console) -> int:
    arguments, config = started.arguments, started.loaded.config
    url, variable = base_url_of(arguments.url), arguments.key_variable
    name = arguments.name or "local"
    _check_new(name, variable, names_on_disk(config, started.own_file))
    address = address_of(url)
    server = (
        None if address is None else await look(address, config.provider_keys.get(variable, ""))
    )
    entry = Entry(name=name, base_url=url, key_variable=variable)
    path = add_provider(entry, config, started.own_file)
    console.note(f"exai: {name} ({url}) is in {path}; {_NEXT_START}")
    if address is not None and server is None:
        console.note(
            f"exai: nobody answers there now; once its server runs, `exai providers test {name}` asks it"
        )
    if variable and variable not in config.provider_keys:
        console.note(f"exai: its key is missing: `exai config set {variable}` asks for it")
    for model in () if server is None else server.models[:_MOST_NAMED]:
        console.say(f"{name}/{_model(model)}")
    return 0


def _check_new(name: str, variable: str, there: tuple[str, ...]) -> None:
    """Raises ArgumentError."""
    if name in BUILT_IN:
        setting = f"{name.upper()}_API_KEY"
        raise ArgumentError(f"{name} is built in: `exai config set {setting}` asks for its key")
    if name in there:
        raise ArgumentError(
            f"{name} is in the file already; `exai providers remove {name}` takes it out"
        )
    if variable and not is_key(variable):
        raise ArgumentError(
            f"{variable!r} is no name for a key: it must end in _KEY or _TOKEN, and be no setting of EXAI's"
        )


async def _test(started: Started, console: Console) -> int:
    config, name = started.loaded.config, started.arguments.name
    heard: list[Trial] = []

    def tell(trial: Trial) -> None:
        heard.append(trial)
        console.say(_shown(trial))

    console.status(f"asking {name or 'every provider'} a short question …")
    await try_all(config, name, tell)
    console.erase()
    if not heard:
        raise NotFoundError(_nobody(name))
    return FAILED if any(trial.fault for trial in heard) else 0


def _nobody(name: str) -> str:
    if name:
        return f"no provider is called {name!r}; `exai providers test` asks all that are configured"
    return (
        "no provider is configured: `exai providers add` takes a model server of this machine,"
        " `exai config set GLM_API_KEY` or `exai config set KIMI_API_KEY` asks for a key"
    )


def _shown(trial: Trial) -> str:
    if trial.fault:
        return f"FAULT {trial.provider}: {trial.fault}"
    window = (
        "how much it holds is not known" if trial.window is None else f"{trial.window:,} tokens"
    )
    return f"ok    {trial.provider}: {trial.model} answered in {trial.seconds:.1f} s ({window})"
