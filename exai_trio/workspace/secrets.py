"""What looks like a secret, by the name of a file or by what stands in it; both say what it looks like, or "". Pure.

A name counts in any case. Of contents only forms count that their makers gave to be known by: a look that is mistaken costs
an honest user a step. Whoever finds one names the file, so that nothing vanishes silently.
"""

import re
from collections.abc import Iterator
from fnmatch import translate
from functools import cache
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from ahocorasick_rs import BytesAhoCorasick

SETTING: Final = "EXAI_SECRET_FILES"
STORE: Final = ".git"
STORE_LOOK: Final = "a part of git's own store"

_EXAMPLE = re.compile(r"(?<![a-z])(?:example|sample|template|tmpl|tpl|dist|defaults)(?![a-z])")
_ENVIRONMENT = re.compile(r"\.env.*|.+\.env|env\.local")
_NAMES: Final = (
    # keys
    "id_rsa*", "id_dsa*", "id_ecdsa*", "id_ed25519*", "id_xmss*", "ssh_host_*_key", "*.pem", "*.key", "*.ppk", "*.p8",
    "*.p12", "*.pfx", "*.pkcs12", "*.jks", "*.keystore", "*.bks", "*.keytab", "*.kdb", "*.kdbx", "*.ovpn", "*.agekey",
    "*.keychain", "*.keychain-db", "secring.*", "jwt_keys.json", "ws_token", "wallet.dat",
    # passwords and tokens
    ".netrc", "_netrc", ".npmrc", ".pypirc", ".yarnrc.yml", ".pgpass", "pgpass.conf", ".my.cnf", ".mylogin.cnf",
    ".htpasswd", "htpasswd", ".htdigest", ".git-credentials", ".dockercfg", ".dockerconfigjson", ".boto", ".s3cfg",
    ".vault-token", ".vault_pass*", "vault_pass*", ".terraformrc", "terraform.rc", "credentials.tfrc.json", "rclone.conf",
    "credentials.json", "client_secret*.json", "application_default_credentials.json",
    "*service-account*.json", "*service_account*.json", "*serviceaccount*.json",
    "secrets.json", "secrets.toml", "secrets.yaml", "secrets.yml", ".secrets", "kubeconfig*", "*.kubeconfig",
    "*.tfstate", "*.tfstate.*", "*.tfvars", "*.tfvars.json", "shadow", "gshadow", "logins.json", "key3.db", "key4.db",
    # what was typed, passwords among it
    ".*_history",
)  # fmt: skip
_PUBLIC = re.compile(r".*\.pub|known_hosts.*|authorized_keys.*|config")  # in .ssh
_PLACES: Final = (
    ".aws/credentials", ".aws/*/cache/*", ".docker/config.json", ".kube/config", ".cargo/credentials*", ".gem/credentials",
    ".m2/settings.xml", ".gradle/gradle.properties", ".composer/auth.json", ".codex/auth.json", ".claude/.credentials.json",
    ".config/gh/hosts.yml", ".config/hub", ".azure/*", "gcloud/*", ".gnupg/*", ".password-store/*", "keyrings/*", ".envs/*",
)  # fmt: skip


@cache
def _name() -> re.Pattern[str]:
    return re.compile("|".join(map(translate, _NAMES)))


@cache
def _place() -> re.Pattern[str]:
    return re.compile("|".join(translate(f"*/{place}") for place in _PLACES))


def by_name(path: str) -> str:
    """Of an absolute path."""
    lowered = path.lower()
    parts = lowered.rstrip("/").split("/")  # pathlib takes as long as all that follows
    name = parts[-1]
    if STORE in parts:
        return STORE_LOOK
    if name.endswith(".pub"):
        return ""
    if _ENVIRONMENT.fullmatch(name):
        return "" if _is_example(name) else "an environment file"
    if _name().match(name) or _place().match(lowered):
        return "" if _is_example(name) else "keys or passwords, by its name"
    if "/.ssh/" in lowered and not _PUBLIC.fullmatch(name):
        return "an SSH key, by its place"
    return ""


def _is_example(name: str) -> bool:
    """Whether the last part that is not a mere type says so: of `.env.example`, `example.env`, not of `.env.example.local`."""
    last = next((part for part in reversed(name.split(".")) if part not in _TYPES), "")
    return bool(_EXAMPLE.search(last))


_TYPES: Final = frozenset({"env", "json", "yaml", "yml", "toml", "tfvars"})

# What, texts one of which it cannot be without, the form, and whether that begins with the text: all texts are looked for at once,
# and forms only where they can be.
_Look = tuple[str, tuple[bytes, ...], bytes, bool]
_START = rb"(?<![A-Za-z0-9_-])"
_END = rb"(?![A-Za-z0-9_-])"


def _behind(*forms: bytes) -> bytes:
    """A place that one of them ends at; each has a length of its own."""
    return b"(?:" + b"|".join(b"(?<=" + form + b")" for form in forms) + b")"


def _token(what: str, texts: str, pattern: bytes) -> _Look:
    """One that begins with its text, and is no part of a longer word."""
    return what, tuple(texts.encode().split()), _START + pattern + _END, True


_LOOKS: Final[tuple[_Look, ...]] = (
    (  # with something of the key itself behind the line: the line alone stands in many sources
        "a private key",
        (b"-----BEGIN ",),
        rb"(?s)-----BEGIN [A-Z0-9 ]*PRIVATE KEY(?: BLOCK)?-----.{0,400}?[A-Za-z0-9+/=]{40}",
        True,
    ),
    (
        "a private key",
        (b"-----END ",),
        _behind(*(rb"[A-Za-z0-9+/=]{40}[\s+-]{%d}" % most for most in range(1, 9)))
        + rb"-----END [A-Z0-9 ]*PRIVATE KEY",
        True,
    ),
    (
        "a private key",
        (b"PuTTY-User-Key-File",),
        rb"(?s)PuTTY-User-Key-File-\d.{0,2000}Private-Lines",
        True,
    ),
    _token("a private key", "AGE-SECRET-KEY-1", rb"AGE-SECRET-KEY-1[A-Z0-9]{50,}"),
    _token("an AWS key", "AKIA ASIA ABIA ACCA", rb"(?:AKIA|ASIA|ABIA|ACCA)[A-Z0-9]{16}"),
    (
        "an AWS key",
        (b"secret_access_key", b"SECRET_ACCESS_KEY", b"SecretAccessKey"),
        rb"(?i)secret_?access_?key\W{1,6}[A-Za-z0-9/+]{40}(?![A-Za-z0-9/+])",
        False,
    ),
    _token("a GitHub token", "ghp_ gho_ ghu_ ghs_ ghr_", rb"gh[pousr]_[A-Za-z0-9]{30,}"),
    _token("a GitHub token", "github_pat_", rb"github_pat_[A-Za-z0-9_]{22,}"),
    _token(
        "a GitLab token",
        "glpat- gldt- glrt- glptt- glcbt- glsoat-",
        rb"gl(?:pat|dt|rt|ptt|cbt|soat)-[A-Za-z0-9_.-]{20,}",
    ),
    _token(
        "an API key",
        "sk-",
        rb"sk-(?:[A-Za-z0-9]{1,12}-){0,2}(?=[A-Za-z_-]*\d)[A-Za-z0-9_]{20,}[A-Za-z0-9_-]*",
    ),
    _token(
        "an API key",
        "sk_live_ sk_test_ rk_live_ rk_test_",
        rb"[sr]k_(?:live|test)_[A-Za-z0-9]{16,}",
    ),
    _token("an API key", "whsec_", rb"whsec_[A-Za-z0-9+/]{24,}={0,2}"),
    _token("an API key", "AIza", rb"AIza[A-Za-z0-9_-]{35}"),
    _token(
        "an API key", "gsk_ xai- pplx- r8_ fw_", rb"(?:gsk_|xai-|pplx-|r8_|fw_)[A-Za-z0-9]{24,}"
    ),
    _token(
        "a Google token",
        "GOCSPX- ya29.",
        rb"(?:GOCSPX-[A-Za-z0-9_-]{20,}|ya29\.[A-Za-z0-9_-]{20,})",
    ),
    _token("a Slack token", "xox", rb"xox[abeoprs]-(?=[A-Za-z-]*\d)[A-Za-z0-9-]{10,}"),
    _token("a Slack token", "xapp-", rb"xapp-\d-[A-Za-z0-9-]{20,}"),
    (
        "a webhook",
        (b"hooks.slack.com", b"/api/webhooks/", b"webhook.office.com"),
        (
            rb"hooks\.slack\.com/(?:services|workflows|triggers)/[A-Za-z0-9_/+-]{20,}"
            rb"|discord(?:app)?\.com/api/webhooks/\d+/[A-Za-z0-9_-]{20,}|webhook\.office\.com/webhookb2/[A-Za-z0-9@-]{30,}"
        ),
        False,
    ),
    _token(
        "a JSON Web Token",
        "eyJ",
        rb"eyJ[A-Za-z0-9_-]{10,}\.eyJ[A-Za-z0-9_-]{10,}\.[A-Za-z0-9_-]{16,}",
    ),
    _token("an npm token", "npm_", rb"npm_[A-Za-z0-9]{36}"),
    (
        "an npm token",
        (b"_authToken",),
        rb"_authToken\s*=\s*[\"']?[A-Za-z0-9][^\s\"']{7,}",
        True,
    ),
    _token("a PyPI token", "pypi-", rb"pypi-[A-Za-z0-9_-]{50,}"),
    _token("a Docker token", "dckr_", rb"dckr_(?:pat|oat)_[A-Za-z0-9_-]{20,}"),
    _token("a Hugging Face token", "hf_", rb"hf_[A-Za-z0-9]{30,}"),
    _token("a cloud token", "dop_v1_ doo_v1_ dor_v1_", rb"do[opr]_v1_[a-f0-9]{64}"),
    _token("a cloud token", "hvs. hvb.", rb"hv[sb]\.[A-Za-z0-9_-]{24,}"),
    _token("a cloud token", "dapi", rb"dapi[a-f0-9]{32}(?:-\d)?"),
    _token("a cloud token", "shpat_ shpca_ shppa_ shpss_", rb"shp(?:at|ca|pa|ss)_[a-fA-F0-9]{32}"),
    _token("a cloud token", "SG.", rb"SG\.[A-Za-z0-9_-]{20,24}\.[A-Za-z0-9_-]{39,50}"),
    _token("a cloud token", "glsa_ glc_", rb"gl(?:sa|c)_[A-Za-z0-9_+/=]{32,}"),
    _token(
        "a cloud token", "sbp_ sb_secret_", rb"(?:sbp_[a-f0-9]{40}|sb_secret_[A-Za-z0-9_-]{20,})"
    ),
    _token("a cloud token", "lin_api_ ntn_", rb"(?:lin_api_|ntn_)[A-Za-z0-9]{40,}"),
    _token("a cloud token", "ATATT3", rb"ATATT3[A-Za-z0-9_=-]{60,}"),
    (
        "a cloud token",
        (b"AccountKey", b"SharedAccessKey"),
        rb"(?:Account|SharedAccess)Key=[A-Za-z0-9+/]{40,}=*",
        True,
    ),
    (
        "a bot's token",
        (b":AA",),
        _behind(*(_START + rb"\d{%d}" % digits for digits in (8, 9, 10)))
        + rb":AA[A-Za-z0-9_-]{33}"
        + _END,
        True,
    ),
    (
        "a GLM key",
        (b"GLM_API_KEY", b"ZAI_API_KEY", b"ZHIPUAI_API_KEY", b"zhipu", b"bigmodel"),
        _START + rb"[0-9a-f]{32}\.[A-Za-z0-9]{16}" + _END,
        False,
    ),
    (
        "a URL with a password",
        (b"://",),
        # Not where a variable or a row of marks stands in the password's place.
        (
            rb"(?i)(?<=[a-z0-9])://[^\s/:@'\"`<>(){}\[\]$|,\\]{0,100}:"
            rb"(?![x*.$]+@|\$)(?:[^\s/:@'\"`<>(){}\[\]|,\\%]|%[0-9a-f]{2}){2,200}@[a-z0-9\[]"
        ),
        True,
    ),
)


_WINDOW: Final = 64 * 1024  # bytes searched in one go: what is found in them is a list


@cache
def _search() -> "tuple[tuple[bytes, ...], BytesAhoCorasick]":
    """All texts, and what finds them in one pass, also those that overlap. Loaded here, since the shim looks at nothing."""
    from ahocorasick_rs import BytesAhoCorasick

    texts = tuple(sorted({text for _, texts, _, _ in _LOOKS for text in texts}))
    return texts, BytesAhoCorasick(texts)


@cache
def _beginning_with(text: bytes) -> tuple[tuple[str, re.Pattern[bytes]], ...]:
    looks = (look for look in _LOOKS if text in look[1] and look[3])
    return tuple((what, re.compile(pattern)) for what, _, pattern, _ in looks)


def _places(plain: bytes) -> Iterator[tuple[bytes, int]]:
    """Each text that stands in it, and where; one over the end of a window may come twice."""
    texts, search = _search()
    window = _WINDOW + max(map(len, texts))
    for at in range(0, len(plain), _WINDOW):
        found = search.find_matches_as_indexes(plain[at : at + window], overlapping=True)
        yield from ((texts[number], at + start) for number, start, _ in found)


def by_look(content: bytes) -> str:
    """Of the bytes of a file, whatever they are. Zeros do not hide a text of two or four bytes a letter."""
    plain = content.replace(b"\0", b"") if b"\0" in content else content
    found: set[bytes] = set()
    for text, at in _places(plain):
        found.add(text)
        for what, form in _beginning_with(text):
            if form.match(plain, at):
                return what
    return next((look[0] for look in _LOOKS if not look[3] and _stands_in(look, found, plain)), "")


def _stands_in(look: _Look, found: set[bytes], plain: bytes) -> bool:
    _, texts, pattern, _ = look
    return bool(found.intersection(texts) and re.search(pattern, plain))
