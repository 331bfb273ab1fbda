"""`exai token` and `exai access` in a home without a daemon: what is issued is listed, changed and taken back, and all of it is noted."""

import json

import pytest

pytestmark = pytest.mark.usefixtures("bare")


@pytest.fixture
def ann(exai):
    """The id of a token for ann, issued through the command."""
    code, token, note = exai("token", "issue", "ann", "--days", "1", "--calls-per-minute", "5")
    assert (0, 3, True) == (code, len(token.split(".")), "for ann (user), until " in note)
    return note.split()[1]


def _listed(exai):
    return {one["id"]: one for one in json.loads(exai("token", "list", "--json")[1])}


def test_a_token_from_its_issue_to_its_end(exai, ann):
    assert 5 == _listed(exai)[ann]["quota"]["calls_per_minute"]
    assert (
        f"{ann}: 5 calls a minute, 2 at once\n" == exai("token", "set", ann, "--concurrent", "2")[1]
    )
    assert f"revoked {ann}\n" == exai("token", "revoke", ann[:8])[1]
    assert (0, "", f"exai: {ann} was revoked before\n") == exai("token", "revoke", ann)
    assert " revoked " in exai("token", "list")[1]

    lines = json.loads(exai("access", "--of", "ann", "--json")[1])
    assert ["token issued", "quota set", "token revoked"] == [line["event"] for line in lines]


def test_all_tokens_of_somebody_end_together(exai, ann):
    exai("token", "issue", "ann", "--role", "viewer", "--scope", "terminals")
    exai("token", "issue", "bob")

    assert "revoked 2\n" == exai("token", "revoke", "--all-of", "ann")[1]
    assert {"ann": True, "bob": False} == {
        one["subject"]: one["revoked_at"] is not None for one in _listed(exai).values()
    }


def test_a_new_key_signs_from_now_on(exai, ann):
    said = exai("token", "rotate-keys")[1]
    exai("token", "issue", "eve")

    keys = {one["subject"]: one["key_id"] for one in _listed(exai).values()}
    assert keys["eve"] == said.split()[0] != keys["ann"]


def test_without_tokens_it_is_said_how_to_issue_one(exai):
    assert (0, "", "exai: no token was issued; `exai token issue NAME` issues one\n") == exai(
        "token", "list"
    )


WRONG = {
    "revoke": "Give an ID or --all-of NAME",
    "revoke zz": "no token has the id zz",
    "revoke tok_": "2 tokens have ids that begin with tok_",
    "set {ann}": "nothing is changed",
    "issue exai": "'exai' cannot be a name",
}


def test_what_cannot_be_done_is_said_and_changes_nothing(exai, ann):
    exai("token", "issue", "bob")
    before = _listed(exai)
    for words, why in WRONG.items():
        code, out, err = exai("token", *words.format(ann=ann).split())
        assert (1, "", True) == (code, out, why in err)

    assert before == _listed(exai)


def test_a_secret_that_is_set_is_no_key_to_rotate(exai, monkeypatch):
    monkeypatch.setenv("JWT_SECRET_KEY", "s" * 40)
    code, _, err = exai("token", "rotate-keys")

    assert (1, True) == (code, "set JWT_KEYS_FILE" in err)
