"""Classes of `structs` are what attrs would have made of them."""

import attrs
import pytest

from exai_trio import structs


def masked(value):
    return "'…'" if value else "''"


class Plain:
    name: str
    size: int = attrs.field(default=0)
    key: str = attrs.field(default="secret", repr=masked)
    _hidden: str = attrs.field(default="hidden", repr=False)
    note: str = attrs.field(default="", eq=False)


class Own:
    name: str

    def __repr__(self):
        return f"own {self.name}"

    def __eq__(self, other):
        return True

    def __hash__(self):
        return 7


class Rough:  # noqa: PLW1641
    """Equality of its own, and so no hash."""

    name: str

    def __eq__(self, other):
        return True


class Nothing:
    pass


class Broken(Exception):
    name: str


SHAPES = (Plain, Own, Rough, Nothing, Broken)
HOWS = ({}, {"kw_only": True}, {"eq": False}, {"repr": False}, {"hash": False})


def copy(shape):
    return type(shape.__name__, shape.__bases__, dict(vars(shape)))


def pairs():
    """Each shape, made by attrs and by us, in every way."""
    for make in ("define", "frozen"):
        for shape in SHAPES:
            for how in HOWS:
                theirs, ours = (
                    getattr(library, make)(**how)(copy(shape)) for library in (attrs, structs)
                )
                yield pytest.param(theirs, ours, id=f"{make} {shape.__name__} {how}")


def some(cls):
    """Instances, some of which have the same content."""
    if not attrs.fields(cls):
        return [cls(), cls()]
    rows = [{"name": "a"}, {"name": "a"}, {"name": "b"}]
    if len(attrs.fields(cls)) > 1:
        rows += [{"name": "a", "size": 1}, {"name": "a", "key": ""}, {"name": "a", "note": "n"}]
        rows += [{"name": "a", "hidden": "x"}]
    return [cls(**row) for row in rows]


def shown(instance):
    text = repr(instance)
    return "by address" if " object at 0x" in text else text


def groups(instances):
    """Which are equal to which, and which have equal hashes."""
    equal = [[one == other for other in instances] for one in instances]
    unlike = [[one != other for other in instances] for one in instances]
    try:
        hashes = [hash(one) for one in instances]
    except TypeError:
        return equal, unlike, "unhashable"
    return equal, unlike, [[one == other for other in hashes] for one in hashes]


@pytest.mark.parametrize(("theirs", "ours"), list(pairs()))
def test_a_class_is_as_attrs_makes_it(theirs, ours):
    """It compares, hashes and shows itself alike, and is built alike."""
    assert list(map(shown, some(theirs))) == list(map(shown, some(ours)))
    assert groups(some(theirs)) == groups(some(ours))
    assert [field.name for field in attrs.fields(theirs)] == [field.name for field in attrs.fields(ours)]  # fmt: skip
    assert theirs.__slots__ == ours.__slots__
    assert attrs.asdict(some(theirs)[0]) == attrs.asdict(some(ours)[0])


def test_secrets_are_not_shown():
    """As the field says."""
    one = structs.frozen(copy(Plain))(name="a")

    assert "Plain(name='a', size=0, key='…', note='')" == repr(one)


def test_another_class_of_the_same_content_is_not_equal():
    """Nor has it the same hash; nor is a subclass equal."""
    first, second = (structs.frozen(copy(Plain)) for _ in range(2))
    sub = structs.frozen(type("Sub", (first,), {}))

    assert first(name="a") != second(name="a")
    assert first(name="a") != sub(name="a")
    assert sub(name="a") == sub(name="a")
    assert hash(first(name="a")) != hash(second(name="a"))


def test_what_is_frozen_does_not_change():
    """What is defined does."""
    frozen, defined = structs.frozen(copy(Plain))(name="a"), structs.define(copy(Plain))(name="a")
    defined.name = "b"

    with pytest.raises(attrs.exceptions.FrozenInstanceError):
        frozen.name = "b"
    assert defined.name == "b"


def test_what_contains_itself_can_be_shown():
    """Once."""

    @structs.define
    class Ring:
        next: object = None

    ring = Ring()
    ring.next = ring

    assert repr(ring).endswith("Ring(next=...)")
