"""What is read out of sources of each language: definitions by their full names, with the lines of what they call; imports."""

from pathlib import Path

import pytest

from exai_trio.tools.workflow.tracing.languages import LANGUAGES, PYTHON
from exai_trio.tools.workflow.tracing.parse_process import read

SOURCES = Path(__file__).parent / "sources"

# Of each file: its imports; then its definitions in order, each with its line and kind, and what it calls at which line.
FOUND = {
    "bakery.py": (
        ["os", "pathlib", "..ovens"],
        """
        1 file → main:29
        6 class Bakery → field:10
        12 function Bakery.open → greet:13 helper:14 getcwd:14
        16 function Bakery.greet → inner:20
        17 function Bakery.greet.inner → größe:18
        23 function main → open:24 Bakery:24
        28 function helper → Path:28
        """,
    ),
    "shop.js": (
        ["fs", "./café.mjs", "./prices.js", "./greetings.js"],
        """
        1 file → require:3 start:49
        7 class Shop →
        9 function Shop.onSale → price:9
        11 function Shop.open → Shop:13 price:14 greet:14
        18 function Shop.price → rounded:22 size:22
        19 function Shop.price.rounded → round:20
        26 function countdown → countdown:27
        30 function überprüfe → all:31 map:31
        34 function check → valid:35
        38 function Shop.close → writeFileSync:39 String:39
        43 function start → open:44 then:44 close:44
        46 function stop-all → countdown:46
        """,
    ),
    "inventory.ts": (
        ["./item", "./log"],
        """
        1 file → component:35
        4 namespace Stock.Rooms →
        5 class Stock.Rooms.Room →
        6 function Stock.Rooms.Room.refill → order:7
        10 function Stock.Rooms.Room.constructor → info:11
        16 function Stock.Rooms.Room.count → filter:17 isSound:17
        22 interface Countable →
        26 type Shelf →
        28 type Rooms →
        31 function isSound →
        36 class Cellar →
        37 function Cellar.order → order:38 sum:39
        43 function sum → reduce:43
        44 function add →
        """,
    ),
    "panel.tsx": (
        ["react"],
        """
        1 file →
        3 type Props →
        5 function Button → text:5
        7 function handle → reset:8
        11 function Panel → useState:12 Button:13
        """,
    ),
    "server.go": (
        ["context", "strings"],
        """
        1 file →
        9 type Server →
        14 type Handler →
        18 function New →
        22 function Server.Run → watch:26 Flush:27 handle:28 ToUpper:28
        23 function Server.Run.handle → Serve:24
        31 function Server.watch → Each:31
        33 function Server.note →
        35 function Stack.Größe → len:35
        37 function Each → do:39
        43 function fib → fib:47
        """,
    ),
    "store.rs": (
        ["std::{collections::HashMap, fs::File as F}", "serde", "disk"],
        """
        1 file →
        5 namespace cache →
        6 interface cache.Keep →
        8 function cache.Keep.clear → drop_all:8
        12 type cache.Lru →
        15 function cache.Lru.keep → len:17 limit:17 evict:18 insert:20 cost:20
        16 function cache.Lru.keep.cost → weigh:16
        25 function cache.Lru.new → new:25
        26 function cache.Lru.evict → trace:27 oldest:27 größe:28 Ok:29
        34 function größe → größe:34
        36 macro weigh → größe:36
        """,
    ),
    "Billing.java": (
        ["java.util.List", "java.lang.Math"],
        """
        1 file →
        7 class Billing →
        8 function Billing.rate → lookup:8
        10 function Billing.Billing → Ledger:11
        14 function Billing.Billing → open:16
        20 function Billing.total → stream:21 map:21 charge:21 filter:21 isDue:21 mapToLong:21 valueOf:21 sum:21
        24 function Billing.charge → Local:28 run:28 max:29 factorial:29
        25 class Billing.charge.Local →
        26 function Billing.charge.Local.run → audit:26
        32 function Billing.factorial → factorial:32
        34 class Billing.Line →
        35 function Billing.Line.Line → requireNonNull:35
        38 type Billing.Kind →
        38 function Billing.Kind.note → audit:38
        38 function Billing.Kind.note →
        41 interface Ledgers →
        41 function Ledgers.audit → print:41 ArrayList:41
        """,
    ),
    "ring.c": (
        ["stdlib.h", "ring.h"],
        """
        1 file →
        4 macro RING_SIZE →
        8 type buffer →
        10 type ring →
        12 type state →
        14 function ring_new → malloc:16 free:17 allocate:18
        22 function ring_names → ring_walk:22
        24 function compare →
        26 function ring_walk → by:28 ring_walk:28
        """,
    ),
    "graph.cpp": (
        ["graph.hpp", "vector"],
        """
        1 file →
        4 namespace geo.flat →
        7 class geo.flat.Graph →
        9 function geo.flat.Graph.Graph → make:9 reserve:9
        10 function geo.flat.Graph.~Graph → clear:10
        12 function geo.flat.Graph.operator== → same:12
        14 function geo.flat.Graph.at → get:14
        17 type geo.flat.Graph.Edge →
        17 function geo.flat.Graph.Edge.weight → weigh:17
        21 function geo.flat.Graph.walk → visit:23 Graph:24 Node:25 walk:26
        22 function geo.flat.Graph.walk.visit → step:22
        29 function geo.flat.größe → größe:29
        34 function hidden → static_cast:34 find:34
        """,
    ),
    "Orders.cs": (
        ["System", "System.Collections.Generic", "System.Text.Json"],
        """
        1 file →
        7 interface Shop.Orders.IOrder →
        7 function Shop.Orders.IOrder.Ship →
        9 class Shop.Orders.Order →
        11 function Shop.Orders.Order.Order → Init:11
        13 property Shop.Orders.Order.Total → Sum:13
        15 function Shop.Orders.Order.Größe → Rounded:18
        17 function Shop.Orders.Order.Größe.Rounded → Round:17
        21 function Shop.Orders.Order.Ship → Send:24 Parcel:24 twice:24 Write:25 Label:26
        23 function Shop.Orders.Order.Ship.twice → Twice:23
        29 class Shop.Orders.Order.Line →
        31 function Shop.Orders.Order.Twice → Twice:31
        34 type Shop.Orders.State →
        """,
    ),
    "garden.rb": (
        ["set", "seeds"],
        """
        1 file → require:1 require_relative:2 open:36
        4 namespace Green.House →
        5 class Green.House.Garden → attr_reader:6 private:30
        8 function Green.House.Garden.open → default_size:8 new:9 water:10
        14 function Green.House.Garden.water → litres:14 soak:15 beds:16 each:16 sprinkle:16 zero?:18 finished!:18 water:18 warn:20 message:20
        23 function Green.House.Garden.soak → Pump:24 new:24 start:24 größe:25
        28 function Green.House.Garden.größe → define_method:28 measure:28
        32 function Green.House.Garden.finished! → notify:32
        """,
    ),
    "mailer.php": (
        ["App\\Queue\\Job", "vendor/autoload.php"],
        """
        1 file → Mailer:29 send:29
        7 interface App.Mail.Sends →
        7 function App.Mail.Sends.send →
        9 class App.Mail.Mailer →
        12 function App.Mail.Mailer.__construct → __construct:12
        14 function App.Mail.Mailer.send → check:16 push:17 Message:17 format:17 ok:18
        15 function App.Mail.Mailer.send.format → größe:15
        21 function App.Mail.Mailer.check → inner:23
        22 function App.Mail.Mailer.check.inner → trim:22
        27 function App.Mail.größe → größe:27
        """,
    ),
}


def told(definition):
    called = " ".join(f"{call.name}:{call.line}" for call in definition.calls)
    return " ".join(f"{definition.line} {definition.kind} {definition.name} → {called}".split())


@pytest.mark.parametrize("name", FOUND)
def test_what_a_source_says(name):
    """Methods, namespaces, nested and recursive functions, names that are not ASCII: each with the line that an editor shows."""
    imports, definitions = FOUND[name]
    file = SOURCES / name
    found = read(file.suffix, file.read_text("utf-8"))

    assert definitions.split("\n")[1:-1] == ["        " + told(one) for one in found.definitions]
    assert imports == list(found.imports)
    assert (found.fault, found.doubt) == ("", "")


def test_there_is_a_source_for_each_language():
    """No grammar goes untested."""
    tested = {LANGUAGES.get(Path(name).suffix) for name in FOUND}

    assert set(LANGUAGES.values()) <= tested


@pytest.mark.parametrize("suffix", sorted(LANGUAGES))
def test_every_suffix_has_a_grammar_that_works(suffix):
    """The grammar loads and its queries fit it; nothing in nothing."""
    found = read(suffix, "")

    assert [""] == [each.name for each in found.definitions]


def test_what_is_used_but_not_called_is_known():
    """Base classes, types, and functions that are handed on."""
    uses = {
        each.name: [use.name for use in each.uses]
        for name in ("shop.js", "ring.c", "bakery.py")
        for each in read(Path(name).suffix, (SOURCES / name).read_text("utf-8")).definitions
    }

    assert "check" in uses["überprüfe"]
    assert "Café" in uses["Shop"]
    assert "compare" in uses["ring_names"]
    assert "Oven" in uses["Bakery"]


@pytest.mark.parametrize(
    ("suffix", "text", "line"),
    [
        (".js", "function a() { b() }\n\nclass {{{ 3\n", 3),
        (".go", "package a\nfunc a() { b() }\nfunc (", 3),
        (".rs", "fn a() { b() }\nfn fn fn", 2),
        (".java", "class X { void a() { b(); } }\nclass class", 2),
    ],
)
def test_a_syntax_error_is_named_and_the_rest_is_read(suffix, text, line):
    """What can be read around an error is there, with the place of the error."""
    found = read(suffix, text)

    assert f"near line {line}" in found.doubt
    assert ["b"] == [
        call.name for each in found.definitions if each.name.endswith("a") for call in each.calls
    ]


@pytest.mark.parametrize("text", ["def (", "x = '\0'", "(" * 3000, "-" * 100_000 + "1"])
def test_what_is_no_python_has_a_fault(text):
    """Python's own parser reads all or nothing."""
    assert read(".py", text).fault


@pytest.mark.parametrize("suffix", [".py", ".js"])
def test_a_source_without_end_is_cut(suffix, monkeypatch):
    """What is over the limits of one file is left out, and that is said."""
    monkeypatch.setattr("exai_trio.tools.workflow.tracing.sources.MOST_MENTIONS", 100)
    found = read(suffix, "".join(f"f{n}(x{n});\n" for n in range(200)))
    (file,) = found.definitions

    assert (100, 0) == (len(file.calls), len(file.uses))
    assert "beginning" in found.doubt


@pytest.mark.parametrize("suffix", [".py", ".js", ".go"])
def test_half_characters_are_no_trouble(suffix):
    """Text that cannot be encoded is read with a mark in its place, or has a fault."""
    found = read(suffix, "f(1); g('\ud800')")

    assert found.fault or found.definitions


def test_a_name_without_end_is_cut():
    """No single name fills an answer."""
    found = read(".js", f"function {'x' * 100_000}() {{}}")

    assert 200 == len(found.definitions[1].name)


def test_all_known_suffixes_are_small_letters():
    """Files are looked up by their suffix in small letters."""
    assert all(one == one.lower() for one in [*LANGUAGES, *PYTHON])
