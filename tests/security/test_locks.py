"""What is installed is pinned with hashes, names no index, and is no more than is needed where it runs."""

import re
import tomllib
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text())
LOCKS = ["requirements.lock", "requirements-dev.lock", "requirements-build.lock"]
REQUIREMENT = re.compile(
    r"^([a-z0-9-]+)==\S+(?: ; .*)? \\\n(?: {4}--hash=sha256:[0-9a-f]{64}(?: \\)?\n)+", re.MULTILINE
)


def locked(name):
    """The names in a lock, each with a version and at least one hash."""
    return set(REQUIREMENT.findall((ROOT / name).read_text()))


def named(requirements):
    return {re.split(r"[<>=\[ ;]", each)[0].lower() for each in requirements}


@pytest.mark.parametrize("name", LOCKS)
def test_every_requirement_is_pinned_with_hashes(name):
    """And no line names an index, a link or a file."""
    text = (ROOT / name).read_text()
    rest = re.sub(r"^ {4}#.*\n", "", REQUIREMENT.sub("", text), flags=re.MULTILINE)

    assert "" == rest.strip()
    assert not re.search(r"://|--(?:extra-)?index-url|--find-links|@ ", text)


def test_what_builds_is_not_there_when_it_runs():
    """hatchling and what came with it alone are in a lock of their own."""
    build = named(PROJECT["dependency-groups"]["build"])

    assert build <= locked("requirements-build.lock")
    assert not build & locked("requirements.lock")
    assert not build & locked("requirements-dev.lock")
    assert not {"trove-classifiers", "pluggy"} & locked("requirements.lock")


def test_what_runs_is_locked_and_the_same_everywhere():
    """The run-time lock has all dependencies; those who develop have the same versions."""
    runtime = (ROOT / "requirements.lock").read_text().split("\n")
    develop = (ROOT / "requirements-dev.lock").read_text().split("\n")
    pins = {line for line in runtime if "==" in line}

    assert named(PROJECT["project"]["dependencies"]) <= locked("requirements.lock")
    assert pins <= set(develop)


@pytest.mark.parametrize("file", ["scripts/setup", "Dockerfile"])
def test_whoever_installs_builds_with_the_locked_tools(file):
    """Each installation checks hashes; the build fetches nothing by itself."""
    lines = (ROOT / file).read_text().splitlines()
    fetching = [line for line in lines if re.search(r"install .*-r ", line)]
    building = [line for line in lines if re.search(r"(?:-e|/wheels) \.|\.whl", line)]

    assert any("-r requirements-build.lock" in line for line in fetching)
    assert all("--require-hashes" in line for line in fetching)
    assert building
    assert all("--no-deps" in line for line in building)
    assert all("--no-build-isolation" in line or "--no-index" in line for line in building)
