"""What a shell offers after TAB."""

import sqlite3

import pytest

from exai_trio.cli import MODULES
from exai_trio.commands.completion import candidates
from exai_trio.principals import OWNER
from exai_trio.providers.catalogue import load_catalogue
from exai_trio.storage.sqlite import thread_ids
from exai_trio.storage.sqlite.store import open_sqlite
from exai_trio.tools.registry import BUILT_IN


def test_every_tool_and_every_model_is_offered():
    """From the files that the package ships, without loading what uses them."""
    assert {tool.name for tool in BUILT_IN} == set(candidates.tools())
    assert {model.name for model in load_catalogue().models} <= set(candidates.models(None))


def test_the_models_of_the_users_own_file_are_offered(tmp_path):
    """A file that cannot be read is no reason to offer nothing."""
    file = tmp_path / "providers.toml"
    file.write_text('[[provider]]\nname = "home"\n[[provider.model]]\nname = "llama-home"\n')

    assert "llama-home" in candidates.models(file)
    assert "glm-4.6" in candidates.models(tmp_path / "missing.toml")


def test_arguments_are_offered_once():
    """But those that may stand several times again."""
    offered = candidates.arguments("chat", "", ["prompt=x", "files=y"], [])

    assert "prompt=" not in offered
    assert {"files=", "model="} <= set(offered)
    assert [] == candidates.arguments("no-such-tool", "", [], [])


@pytest.mark.parametrize(
    ("prefix", "offered"),
    [
        ("model=", ["model=a", "model=b"]),
        ("use_websearch=", ["use_websearch=true", "use_websearch=false"]),
        ("prompt=", []),
    ],
)
def test_values_are_offered(prefix, offered):
    """Models, switches; nothing where anything goes."""
    assert offered == candidates.arguments("chat", prefix, [], ["a", "b"])
    assert "thinking_mode=high" in candidates.arguments("chat", "thinking_mode=", [], [])


def test_paths_are_offered(tmp_path, monkeypatch):
    """Directories with a slash, wherever the prefix begins."""
    (tmp_path / "src").mkdir()
    (tmp_path / "src" / "a.py").write_text("")
    monkeypatch.chdir(tmp_path)

    assert ["src/"] == candidates.paths("s")
    assert ["src/a.py"] == candidates.paths("src/")
    assert [f"{tmp_path}/src/"] == candidates.paths(f"{tmp_path}/s")
    assert [] == candidates.paths("no/such/place/")


async def test_conversations_are_offered(tmp_path):
    """By name where they have one; of a store that is of another version, or none, nothing."""
    file = tmp_path / "exai.db"
    assert [] == thread_ids.newest(file, 0.0)
    async with open_sqlite(file):
        pass
    with sqlite3.connect(file) as store:
        for number, name in ((1, ""), (2, "plan")):
            store.execute(
                "INSERT INTO conversations (id, created_at, expires_at, principal) VALUES (?, ?, 100, ?)",
                (f"id-{number}", number, OWNER),
            )
            if name:
                store.execute(
                    "INSERT INTO thread_names (conversation, name) VALUES (?, ?)",
                    (f"id-{number}", name),
                )
    store.close()

    assert ["plan", "id-1"] == thread_ids.newest(file, 50.0)
    assert [] == thread_ids.newest(file, 200.0)
    file.write_text("no database")
    assert [] == thread_ids.newest(file, 0.0)


def test_every_command_is_known():
    """The commands themselves are argparse's to offer."""
    assert "ask" in MODULES
