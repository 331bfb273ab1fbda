"""No password of a URL stands in a refusal, a table, an answer or a log."""

import itertools

import pytest

from exai_trio.commands.editors.shim_server import Machine, editor_configuration
from exai_trio.commands.options import EDITORS
from exai_trio.commands.setup.show_config import table
from exai_trio.errors import ArgumentError
from exai_trio.observability.redaction import Redaction
from exai_trio.providers.catalogue import load_catalogue
from exai_trio.providers.providers_file import parse_providers
from exai_trio.providers.refusals.error_responses import unreachable, unsendable
from exai_trio.settings.load import load
from exai_trio.settings.printing import rows
from exai_trio.settings.table import SETTINGS
from exai_trio.settings.urls import without_password

PASSWORD = "hunter2-SESAME"
FORMS = (
    "https://user:{}@host.example/v1", "HTTPS://user:{}@host.example", "http://{}@host", "https://:{}@host", "https://user:{}@",
    "user:{}@host", "{}@host:8079", "https:/user:{}@host", "https:\\\\user:{}@host", "https://user:a@{}@host", "//user:{}@host",
    "https://user:{}/x@host", "https://user:a?{}@host", "https://user:a#{}@host", "https://user:{} @host", "https://user:{}%40host",
    "https://user:{}", "https://user:{}/v1", "https://host/v1?key={}", "https://host/v1#{}", "https://good.example,https://u:{}@x",
    "wss://user:{}@host", "redis://:{}@host:6379/0", "https://user:{}\uff20host", "https://user:{}@host\x1b[2J", "  https://u:{}@h",
)  # fmt: skip
# Free text is as it is: nobody expects an address there, unless it looks like one.
VARIABLES = [s.name for s in SETTINGS if not s.secret]
ADDRESSES = [s.name for s in SETTINGS if s.kind.is_address]


@pytest.mark.parametrize(("name", "form"), [*itertools.product(ADDRESSES, FORMS)])
def test_no_refusal_of_an_address_repeats_its_password(name, form):
    """Nor does the table of `exai config`, or an editor's configuration."""
    loaded = load({}, {name: form.format(PASSWORD)})
    said = [*map(str, loaded.faults), *loaded.warnings, table(loaded, Machine(interpreter="/p"))]
    said += [row.value for row in rows(loaded)]
    said += [editor_configuration(editor, loaded, Machine(interpreter="/p")) for editor in EDITORS]

    assert PASSWORD not in "\n".join(said)
    assert "hunter2" not in "\n".join(said)


@pytest.mark.parametrize("name", VARIABLES)
def test_a_url_in_the_wrong_setting_is_not_repeated_either(name):
    """Whatever the setting is for."""
    loaded = load({}, {name: f"https://user:{PASSWORD}@host.example/v1"})

    assert PASSWORD not in "\n".join([*map(str, loaded.faults), *loaded.warnings])


@pytest.mark.parametrize(
    ("written", "shown"),
    [
        ("https://user:pw@host/v1", "https://<hidden>@host/v1"),
        ("https://host:99999/v1", "https://host:99999/v1"),
        ("https://host:port/v1", "https://host:<hidden>"),
        ("https://[::1]:8/v1", "https://[::1]:8/v1"),
        ("https://host/v1?a=b", "https://host/v1?<hidden>"),
        ("ftp://host/v1", "ftp://host/v1"),
        ("host name", "host name"),
        ("localhost:8079", "localhost:8079"),
    ],
)
def test_what_is_no_password_stays(written, shown):
    """A refusal still says what was wrong."""
    assert shown == without_password(written)


FILE = """
[[provider]]
name = "{name}"
base_url = "{url}"
"""


@pytest.mark.parametrize("form", ["https://user:{}@host.example/v1", "https://host.example/v1?key={}"])  # fmt: skip
def test_an_endpoint_of_a_providers_file_is_shown_without_its_password(form):
    """It is used as it is written; messages name the host alone."""
    url = form.format(PASSWORD)
    (endpoint,) = parse_providers(FILE.format(name="mine", url=url), load_catalogue(), {}, 60.0).endpoints  # fmt: skip
    said = [endpoint.shown_url, str(unreachable(endpoint, "refused")), str(unsendable(endpoint, "x"))]  # fmt: skip

    assert url == endpoint.base_url
    assert PASSWORD not in "".join(said)
    assert "host.example" in said[1]


@pytest.mark.parametrize("form", FORMS)
def test_no_refusal_of_a_providers_file_repeats_a_password(form):
    """Neither in place of a name nor of an address."""
    quoted = form.format(PASSWORD).replace("\\", "/").replace("\x1b", "")
    for name, url in ((quoted, "https://host"), ("mine", "no" + quoted)):
        with pytest.raises(ArgumentError) as refused:
            parse_providers(FILE.format(name=name, url=url), load_catalogue(), {}, 60.0)
        assert PASSWORD not in str(refused.value)


@pytest.mark.parametrize("scheme", ["https", "redis", "postgresql", "ws"])
def test_a_log_shows_no_password_of_a_url(scheme):
    """In a text and in a field, with the host left to read."""
    text = f"no connection to {scheme}://user:{PASSWORD}@host.example/v1, twice"
    seen = [Redaction().text(text), str(Redaction().value({"url": [text]}))]

    assert PASSWORD not in "".join(seen)
    assert all("host.example/v1" in each for each in seen)
