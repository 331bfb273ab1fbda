"""The audit of a file or folder: every rule over every file, less what comments explain."""

from collections import Counter

from auditing import hard_coded, secrets, settings_use, silent_failures
from auditing.findings import RULES, Finding
from auditing.source import Source


def audit(files):
    """Findings, the exceptions in use by rule, and a line for each file that is no Python."""
    sources, found, broken = [], [], []
    for shown, text in files:
        try:
            source = Source(shown, text)
            found += [(source, finding) for finding in _in_one(source)]
            sources.append(source)
        except (SyntaxError, ValueError) as fault:
            broken.append(f"{shown}:{getattr(fault, 'lineno', None) or 1} is no Python: {fault}")
        except (MemoryError, RecursionError):
            broken.append(f"{shown}:1 is nested too deeply to be read")
    found += [
        (source, Finding(source.shown, *rest)) for source, *rest in settings_use.over_all(sources)
    ]
    return *_less_explained(sources, found), broken


def _in_one(source):
    for rules in (silent_failures.find, hard_coded.find, settings_use.environment):
        for line, rule, message in rules(source):
            yield Finding(source.shown, line, rule, message)


def _less_explained(sources, found):
    left, used = set(), {}
    for source, finding in found:
        number = source.exception_for(finding.line, finding.rule)
        if number is None:
            left.add(finding)
        else:
            used[source.shown, number] = finding.rule
    for source in sources:
        left |= set(_bad_exceptions(source, used))
    return sorted(left), Counter(used.values())


def _bad_exceptions(source, used):
    for number, (rule, why) in source.exceptions.items():
        if (source.shown, number) in used:
            continue
        if rule not in RULES or not why:
            wanted = "`# audit: RULE, because …`"
            yield Finding(
                source.shown, number, "no-such-rule", f"{rule!r}: an exception is {wanted}"
            )
        else:
            yield Finding(
                source.shown, number, "idle-exception", f"{rule}: nothing of that is here"
            )


def python_files(path, root):
    """Name and text of each Python file there, shown from the root where it is below it. Raises OSError."""
    for file in sorted(path.rglob("*.py")) if path.is_dir() else [path]:
        if "__pycache__" not in file.parts and not file.is_dir():
            yield shown(file, root), file.read_text(encoding="utf-8", errors="replace")


def shown(file, root):
    file = file.resolve()
    return str(file.relative_to(root) if file.is_relative_to(root) else file)


def secrets_in(names, root, made_up):
    """Findings in texts of any kind, but for those whose fingerprint is noted as made up."""
    for name in names:
        data = (root / name).read_bytes() if (root / name).is_file() else b"\0"
        if b"\0" in data[:4096]:
            continue
        for line, mark, message in secrets.find(data.decode(errors="replace")):
            if mark not in made_up:
                yield Finding(name, line, "secret", message)
