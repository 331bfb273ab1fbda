"""docs/boundaries.toml: read and checked, turned into contracts and into a page, and held against the tree."""

import tomllib

from auditing.effects import ABOUT, effects
from auditing.imports import imported, is_below
from auditing.shapes import ANY, TEXT, Wrong, check, one_of

ROOT = "exai_trio"
NAMES = [TEXT]
PACKAGE = {"name": TEXT, "is": TEXT, "may_use": NAMES, "must_not": NAMES, "never_loads?": NAMES}
SHAPE = {
    "layers": NAMES,
    "package": [PACKAGE],
    "effects": {f"{effect}?": {"may": NAMES} for effect in ABOUT},
    "rooms": {ANY: {"layers": NAMES}},
    "pure": {"must_not": NAMES, "modules": NAMES},
    "only": [{"name": TEXT, "library": TEXT, "modules": NAMES}],
}


def read(text):
    """Raises Wrong."""
    where = "docs/boundaries.toml"
    try:
        declared = tomllib.loads(text)
    except tomllib.TOMLDecodeError as fault:
        raise Wrong(f"{where}: no TOML: {fault}") from fault
    check(declared, SHAPE, where)
    names = [package["name"] for package in declared["package"]]
    if twice := {name for name in names if names.count(name) > 1}:
        raise Wrong(f"{where}: package: {sorted(twice)} is declared twice; allowed: once")
    for package in declared["package"]:
        at = f"{where}: package: {package['name']}: may_use"
        check(package["may_use"], [one_of(sorted(names))], at)
    return declared


def full(name):
    return f"{ROOT}.{name}"


def violations(declared, modules, packages):
    """Module, line and what is wrong, for each import and effect that is not declared."""
    entries = {full(package["name"]): package for package in declared["package"]}
    for name, tree in sorted(modules.items()):
        home = next((entry for entry in entries if is_below(name, entry)), None)
        if home is None and name != ROOT:
            yield name, 1, "is in no package of docs/boundaries.toml"
            continue
        for line, target in imported(name, tree, modules, name in packages):
            yield from (
                (name, line, fault) for fault in _import(declared, entries, name, home, target)
            )
        for line, effect in effects(tree):
            may = declared["effects"].get(effect, {}).get("may", [])
            if not any(is_below(name, full(allowed)) for allowed in may):
                yield name, line, f"{ABOUT[effect]}: effect {effect} is not declared"


def _import(declared, entries, name, home, target):
    if is_below(target, ROOT):
        other = next((entry for entry in entries if is_below(target, entry)), None)
        if (
            home
            and other
            and other != home
            and other.removeprefix(f"{ROOT}.") not in entries[home]["may_use"]
        ):
            yield f"uses {other}, which is not in its may_use"
        return
    for bad in entries[home]["must_not"] if home else ():
        if is_below(target, bad):
            yield f"imports {bad}, which {home} must not"
    if any(is_below(name, full(module)) for module in declared["pure"]["modules"]):
        for bad in declared["pure"]["must_not"]:
            if is_below(target, bad):
                yield f"is pure and imports {bad}"
    for only in declared["only"]:
        if is_below(target, only["library"]) and name not in map(full, only["modules"]):
            yield f"imports {only['library']}: {only['name']}"


def idle(declared, modules):
    """Permissions that nobody uses any more."""
    having = {}
    for name, tree in modules.items():
        for _, effect in effects(tree):
            having.setdefault(effect, set()).add(name)
    for effect, entry in declared["effects"].items():
        for allowed in entry["may"]:
            if not any(is_below(name, full(allowed)) for name in having.get(effect, ())):
                yield full(allowed), 1, f"has no effect {effect} any more"


def contracts(declared):
    """The part of pyproject.toml that import-linter reads."""
    head = {
        "root_package": ROOT,
        "include_external_packages": True,
        "exclude_type_checking_imports": True,
    }
    parts = [
        "[tool.importlinter]\n# Written by scripts/boundaries from docs/boundaries.toml.\n"
        + _toml(head)
    ]
    layers = [" | ".join(map(full, line.split(" | "))) for line in declared["layers"]]
    name = "Folders are layers; imports go down only; packages on one line do not know each other"
    parts.append(_contract(name, "layers", layers=layers))
    for room, entry in declared["rooms"].items():
        name = f"Rooms of {room} are layers; exhaustive, so that a new one is given its place"
        parts.append(
            _contract(
                name, "layers", containers=[full(room)], layers=entry["layers"], exhaustive=True
            )
        )
    pure = declared["pure"]
    name = "Pure modules know no trio, no clock, no sockets"
    parts.append(
        _forbidden(name, map(full, pure["modules"]), pure["must_not"], allow_indirect_imports=True)
    )
    for only in declared["only"]:
        ignored = [f"{full(module)} -> {only['library']}" for module in only["modules"]]
        library = [only["library"]]
        parts.append(
            _forbidden(
                only["name"], [ROOT], library, ignore_imports=ignored, allow_indirect_imports=True
            )
        )
    for package in declared["package"]:
        parts.extend(_of_package(declared, package))
    return "\n".join(parts)


def _of_package(declared, package):
    name = package["name"]
    others = {entry["name"] for entry in declared["package"]} - {name, *package["may_use"]}
    bad = [*map(full, sorted(others)), *package["must_not"]]
    yield _forbidden(f"{name} uses what it may", [full(name)], bad, allow_indirect_imports=True)
    if never := package.get("never_loads"):
        yield _forbidden(f"{name} loads none of these, by no way", [full(name)], never)


def _contract(name, kind, **more):
    return "[[tool.importlinter.contracts]]\n" + _toml({"name": name, "type": kind, **more})


def _forbidden(name, sources, bad, **more):
    return _contract(name, "forbidden", source_modules=list(sources), forbidden_modules=bad, **more)


def _toml(pairs):
    return "".join(f"{key} = {_value(value)}\n" for key, value in pairs.items())


def _value(value):
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, list):
        return "[\n" + "".join(f'  "{item}",\n' for item in value) + "]"
    return f'"{value}"'


PAGE = """\
# Boundaries

Who may use whom, and who may do what to the world. Written by `scripts/boundaries` from [boundaries.toml](boundaries.toml), which CI holds the code to.

    {layers}

| package | what it is for | may use | must not | effects |
|---|---|---|---|---|
{rows}
## Effects

{effects}"""


def page(declared):
    rows = "".join(_row(declared, package) for package in declared["package"])
    told = "".join(
        f"- **{effect}** ({ABOUT[effect]}): {', '.join(entry['may'])}\n"
        for effect, entry in declared["effects"].items()
    )
    return PAGE.format(layers="\n    ".join(declared["layers"]), rows=rows, effects=told)


def _row(declared, package):
    name = package["name"]
    effects_of = [
        effect
        for effect, entry in declared["effects"].items()
        if any(is_below(allowed, name) for allowed in entry["may"])
    ]
    cells = [
        f"`{name}`",
        package["is"],
        *map(", ".join, (package["may_use"], package["must_not"], effects_of)),
    ]
    return "| " + " | ".join(cells) + " |\n"
