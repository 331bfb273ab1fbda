"""Changes that want a decision: dependencies, settings, messages of the wire, schema and boundaries, since .ci/baseline."""

import ast
import re
import subprocess
import tomllib
from pathlib import Path

from auditing.shapes import Wrong

BASELINE = Path(".ci/baseline")
# Patterns as git reads them: a file that is new tomorrow is governed too.
AREAS = {
    "dependencies": ["pyproject.toml"],
    "settings": [
        "exai_trio/config.py",
        "exai_trio/settings/table.py",
        "exai_trio/settings/groups/*_settings.py",
    ],
    "messages": ["exai_trio/wire/*messages.py"],
    "schema": [
        "exai_trio/storage/sqlite/file/schema.py",
        "exai_trio/storage/sqlite/file/*_step.py",
        "exai_trio/storage/supabase/sql/*.sql",
    ],
    "boundaries": ["docs/boundaries.toml"],
}
NONE = re.compile(r"^ADR: none, because \S", re.MULTILINE)
CHANGES = re.compile(r"^Changes: (.+?)\.?$", re.MULTILINE)
COMMIT = re.compile(r"[0-9a-f]{40}\n?")


def git(*words):
    """What git says; nothing where it refuses."""
    done = subprocess.run(["git", *words], capture_output=True, text=True, check=False)
    return done.stdout if done.returncode == 0 else ""


def write_baseline(named):
    """Name a commit in .ci/baseline; a fault in words if there is none of that name."""
    commit = git("rev-parse", "--verify", "--quiet", f"{named}^{{commit}}")
    if not commit:
        return f"{named}: there is no such commit"
    BASELINE.parent.mkdir(exist_ok=True)
    BASELINE.write_text(commit, encoding="utf-8")
    return ""


def named_commit(path=BASELINE):
    """The commit that .ci/baseline names, whether known here or not. Raises Wrong."""
    try:
        text = path.read_text(encoding="utf-8", errors="replace")
    except OSError as fault:
        raise no_commit(f"cannot be read: {fault.strerror}") from fault
    if not COMMIT.fullmatch(text):
        raise no_commit(f"{text.strip()!r} is no commit")
    return text.strip()


def is_known(commit, where="."):
    """Whether the repository there has this commit."""
    return git("-C", str(where), "cat-file", "-t", commit).strip() == "commit"


def no_commit(fault):
    return Wrong(
        f"{BASELINE}: commit: {fault}; allowed: the 40 hexadecimal digits of a commit that is known here; `scripts/adr baseline` writes them"
    )


def undecided():
    """A line for each area that has changed since the baseline while no decision says so, and no commit that none is needed. Raises Wrong."""
    base = named_commit()
    if not is_known(base):
        if git("rev-parse", "--is-shallow-repository").strip() != "false":
            return []  # a copy without history has nothing to compare with
        raise no_commit(f"{base} is none of this repository")
    decided = _decided(base)
    return [
        *_unknown_areas(),
        *(line for area in AREAS if area not in decided for line in _in(area, base)),
    ]


def _in(area, base):
    """What was changed in one area without a word."""
    changed = [
        path
        for path in _touched(area, base)
        if _meaning(path, git("show", f"{base}:{path}")) != _meaning(path, _now(path))
    ]
    said = f"changed since {base[:10]} without a decision; one says `Changes: {area}`, or the commit `ADR: none, because …`"
    for path in changed:
        commits = git("log", "--no-merges", "--format=%H", f"{base}..HEAD", "--", path).split()
        silent = [one for one in commits if not NONE.search(git("show", "-s", "--format=%B", one))]
        if silent or not commits or git("diff", "HEAD", "--name-only", "--", path):
            yield f"{path}: {area} {said}{_shown(silent)}"


def _touched(area, base):
    """Files of an area that differ from the baseline, or are new and not added yet."""
    patterns = [f":(glob){pattern}" for pattern in AREAS[area]]
    differing = git("diff", "--name-only", base, "--", *patterns)
    new = git("ls-files", "--others", "--exclude-standard", "--", *patterns)
    return sorted({*differing.splitlines(), *new.splitlines()})


def _shown(commits):
    return f" ({', '.join(one[:10] for one in commits)})" if commits else ""


def _now(path):
    return Path(path).read_text(encoding="utf-8") if Path(path).exists() else ""


def _meaning(path, text):
    """What a change of this file is measured by: no comments, and of pyproject.toml the dependencies alone."""
    if path.endswith(".py"):
        return _without_docstrings(path, text)
    if not path.endswith(".toml"):
        return text
    read = tomllib.loads(text)
    if path == "pyproject.toml":
        return read.get("project", {}).get("dependencies"), read.get("dependency-groups")
    return read


def _without_docstrings(path, text):
    tree = ast.parse(text, filename=path)
    for node in ast.walk(tree):
        if isinstance(getattr(node, "body", None), list):
            node.body = [
                part
                for part in node.body
                if not (isinstance(part, ast.Expr) and isinstance(part.value, ast.Constant))
            ]
    return ast.dump(tree)


def _decisions():
    return sorted(Path("docs/adr").glob("[0-9]*.md"))


def areas_of(text):
    """The areas that a decision says it changes."""
    return {area.strip() for line in CHANGES.findall(text) for area in line.split(",")}


def _decided(base):
    """The areas that decisions which are new or changed since the baseline name."""
    found = set()
    for path in _decisions():
        text = path.read_text(encoding="utf-8")
        areas = areas_of(text)
        if areas and git("show", f"{base}:{path}") != text:
            found |= areas
    return found


def _unknown_areas():
    for path in _decisions():
        for area in sorted(areas_of(path.read_text(encoding="utf-8")) - AREAS.keys()):
            yield f"{path}: Changes: {area!r} is none of {', '.join(AREAS)}"
