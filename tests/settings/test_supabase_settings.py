"""What must be right of a Supabase project's settings before a daemon starts, and what of another program's is left alone."""

import base64
import json

import pytest

from exai_trio.settings.load import load

PROJECT = "https://abcdefgh.supabase.co"
SECRET = "sb_secret_" + "x" * 20


def token(role):
    claims = base64.urlsafe_b64encode(json.dumps({"role": role}).encode()).decode().rstrip("=")
    return f"e30.{claims}.x"


def hosted(**more):
    return {"STORAGE_BACKEND": "supabase", "SUPABASE_URL": PROJECT, "SUPABASE_KEY": SECRET, **more}


@pytest.mark.parametrize(
    ("more", "variable", "said"),
    [
        ({"SUPABASE_URL": "abcdefgh.supabase.co"}, "SUPABASE_URL", "http or https URL"),
        ({"SUPABASE_URL": "http://abcdefgh.supabase.co"}, "SUPABASE_URL", "https URL"),
        ({"SUPABASE_URL": ""}, "SUPABASE_URL", "the project's URL"),
        ({"SUPABASE_KEY": ""}, "SUPABASE_KEY", "a secret key"),
        ({"SUPABASE_KEY": "sb_publishable_xyz"}, "SUPABASE_KEY", "publishable"),
        ({"SUPABASE_KEY": token("anon")}, "SUPABASE_KEY", "anon key"),
        ({"SUPABASE_PROJECT_ID": "other"}, "SUPABASE_PROJECT_ID", "names"),
        ({"SUPABASE_DB_URL": "mysql://x:geheim@y"}, "SUPABASE_DB_URL", "postgresql://"),
        ({"EXAI_HISTORY_DAYS": "0"}, "EXAI_HISTORY_DAYS", "from 1"),
        ({"MESSAGE_BUS_COMPRESSION": "zip"}, "MESSAGE_BUS_COMPRESSION", "gzip or none"),
    ],
)
def test_what_cannot_work_stops_the_start_in_one_line(more, variable, said):
    """Each names its variable and what is allowed, and shows no key and no password."""
    faults = [str(fault) for fault in load({}, hosted(**more)).faults]

    assert [variable] == [fault.partition("=")[0] for fault in faults]
    assert said in faults[0]
    assert not [line for line in faults if "geheim" in line or "sb_" in line.partition("(")[0]]
    assert "\n" not in faults[0]


@pytest.mark.parametrize(
    "more",
    [
        {},
        {"SUPABASE_PROJECT_ID": "abcdefgh"},
        {"SUPABASE_KEY": token("service_role")},
        {"SUPABASE_URL": "http://127.0.0.1:54321", "SUPABASE_PROJECT_ID": "local"},
        {"SUPABASE_DB_URL": "postgresql://postgres:x@db.abcdefgh.supabase.co/postgres"},
    ],
)
def test_what_works_is_taken(more):
    """A project of Supabase's, a project of this machine, both kinds of secret keys."""
    loaded = load({}, hosted(**more))

    assert ((), True) == (loaded.faults, loaded.config.is_hosted)


def test_settings_of_another_programs_project_stop_nothing():
    """With the embedded store nobody of ours reads them: what is wrong with them is told, and counts as not set."""
    loaded = load({}, {"SUPABASE_URL": "off", "SUPABASE_KEY": "sb_publishable_xyz"})

    assert () == loaded.faults
    assert ["supabase_url"] == list(loaded.foreign)
    assert "" == loaded.config.supabase_url


def test_secrets_of_a_project_are_masked():
    """Neither the key nor the database's URL stands in the settings as they are shown."""
    config = load({}, hosted(SUPABASE_DB_URL="postgresql://a:geheim@b/c")).config

    assert "geheim" not in repr(config)
    assert SECRET not in repr(config)


def test_the_key_goes_to_no_address_that_merely_lay_there():
    """A `.env` that nobody named may not send the user's key to an address of its own."""
    environ = {"STORAGE_BACKEND": "supabase", "SUPABASE_KEY": SECRET, "EXAI_SIMULATE": "true"}
    loaded = load({}, environ, f"SUPABASE_URL={PROJECT}", found=True)

    assert ["supabase_url"] == [fault.field for fault in loaded.faults]
