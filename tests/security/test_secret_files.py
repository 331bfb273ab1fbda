"""What looks like a secret is left out of directories and said; by its path it is sent only if EXAI_SECRET_FILES names it."""

import base64
import re
import time
from pathlib import Path

import hypothesis
import pytest
from hypothesis import strategies as st

from exai_trio.errors import ArgumentError
from exai_trio.workspace import secrets, sendable
from exai_trio.workspace.read import FileReader

pytestmark = pytest.mark.real

BODY = base64.b64encode(bytes(range(96))).decode()
CANARY = "CANARY-7f3a"

NAMES = [
    ".env", ".env.local", ".env.production", ".env-prod", ".env.example.local", ".envrc", "production.env", ".ENV", "id_rsa",
    "id_dsa", "id_ecdsa", "id_ed25519", "id_ed25519_sk", "id_rsa.bak", "id_rsa_work", "ID_RSA", ".ssh/deploy", ".ssh/id_work",
    ".netrc", "_netrc", ".npmrc", ".pypirc", ".pgpass", ".my.cnf", "server.pem", "Server.PEM", "tls.key", "store.p12",
    "store.pfx", "store.jks", "release.keystore", "work.ppk", "AuthKey_1.p8", "pass.kdbx", "vpn.ovpn", ".aws/credentials",
    ".aws/sso/cache/a.json", ".git-credentials", ".docker/config.json", ".dockercfg", ".kube/config", "kubeconfig",
    "kubeconfig.yaml", "prod.kubeconfig", "terraform.tfstate", "terraform.tfstate.backup", "terraform.tfstate.1.backup",
    "prod.tfvars", ".terraformrc", "credentials.json", "my-service-account.json", "service_account_key.json",
    "client_secret_1.apps.googleusercontent.com.json", ".htpasswd", ".htdigest", "secrets.toml", "secrets.yaml",
    ".vault-token", "vault_pass.txt", ".cargo/credentials.toml", ".config/gh/hosts.yml", ".gnupg/secring.gpg", ".boto",
    "gcloud/application_default_credentials.json", ".bash_history", ".psql_history", "wallet.dat", "state/ws_token",
]  # fmt: skip

INNOCENT = [
    ".env.example", ".env.sample", ".env.template", ".env.local.example", "example.env", ".env.dist", "env.py", "environment.yml",
    "id_rsa.pub", "id_ed25519.pub", ".ssh/config", ".ssh/known_hosts", "secrets.py", "secret.c", "token.py", "keys.py",
    "password_reset.html", "credentials.py", "config.json", "package.json", "key.go", "pem.rs", "monkey.txt", "history.md",
    ".gitignore", ".github/workflows/ci.yml", "docker/config.py", "main.tf", "service_account.py", "kube/config.go",
    "terraform.tfvars.example", "credentials.example.json", "shadow.css", "authorized_keys.md", "tokenizer.json",
]  # fmt: skip

LOOKS = {
    "rsa": f"-----BEGIN RSA PRIVATE KEY-----\n{BODY}\n-----END RSA PRIVATE KEY-----",
    "pkcs8": f"-----BEGIN PRIVATE KEY-----\n{BODY}\n-----END PRIVATE KEY-----",
    "encrypted": f"-----BEGIN RSA PRIVATE KEY-----\nProc-Type: 4,ENCRYPTED\nDEK-Info: AES-128-CBC,00\n\n{BODY}",
    "openssh": f"-----BEGIN OPENSSH PRIVATE KEY-----\n{BODY}\n",
    "pgp": f"-----BEGIN PGP PRIVATE KEY BLOCK-----\nVersion: 1\n\n{BODY}\n",
    "service account": f'{{"type": "service_account", "private_key": "-----BEGIN PRIVATE KEY-----\\n{BODY}\\n"}}',
    "in a source": f'KEY = """-----BEGIN EC PRIVATE KEY-----\n{BODY}"""',
    "age": "AGE-SECRET-KEY-1" + "Q" * 58,
    "aws": "aws_access_key_id = AKIA1234567890ABCDEF",
    "aws temporary": "ASIA1234567890ABCDEF",
    "aws secret": f"aws_secret_access_key = {BODY[:40]}",
    "github": "ghp_" + "a1B2" * 9,
    "github app": "ghs_" + "a1B2" * 9,
    "github fine": "github_pat_" + "a1B2" * 20,
    "gitlab": "glpat-" + "a1B2c" * 4,
    "openai": "sk-" + "a1B2" * 12,
    "openai project": "sk-proj-" + "a1B2_" * 12,
    "anthropic": "sk-ant-api03-" + "a1B2" * 20,
    "stripe": "sk_live_" + "a1B2" * 6,
    "slack": "xoxb-123456789012-123456789012-" + "a1B2" * 6,
    "slack hook": "https://hooks.slack.com/services/T0AAAAAAA/B0BBBBBBB/" + "a1B2" * 6,
    "google": "AIza" + "a1B2c" * 7,
    "jwt": "eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiIxMjM0NTY3ODkwIn0." + "a1B2" * 10,
    "npm": "npm_" + "a1B2" * 9,
    "npmrc": f"//registry.example.org/:_authToken={BODY[:20]}",
    "pypi": "pypi-" + "a1B2" * 20,
    "hugging face": "hf_" + "a1B2" * 9,
    "docker": "dckr_pat_" + "a1B2" * 7,
    "digital ocean": "dop_v1_" + "a1b2" * 16,
    "vault": "hvs." + "a1B2" * 8,
    "databricks": "dapi" + "a1b2" * 8,
    "sendgrid": f"SG.{'a1B2c' * 4}ab.{'a1B2c' * 8}abc",
    "shopify": "shpat_" + "a1b2" * 8,
    "telegram": "123456789:AA" + "a1B2c" * 6 + "abc",
    "azure": f"AccountKey={BODY[:86]}==",
    "glm": f"GLM_API_KEY={'a1b2' * 8}.{'a1B2' * 4}",
    "git url": "url = https://oauth2:a1B2c3D4@gitlab.example.org/x.git",
    "database url": "postgres://app:s3cr3t@db.example.org/app",
    "escaped url": "amqp://app:p%40ss@localhost:5672/",
}

HARMLESS = {
    "a key's first line": 'if "-----BEGIN RSA PRIVATE KEY-----" in text: raise ValueError',
    "a public key": f"-----BEGIN PUBLIC KEY-----\n{BODY}\n-----END PUBLIC KEY-----",
    "a certificate": f"-----BEGIN CERTIFICATE-----\n{BODY}\n-----END CERTIFICATE-----",
    "a variable in a URL": "https://user:${PASSWORD}@example.org https://$USER:$PW@h {scheme}://{user}:{pw}@{host}",
    "a format in a URL": "postgres://%s:%s@%s/%s http://user:***@host http://<user>:<password>@host",
    "a port": "http://localhost:8080/a@b http://[::1]:80/x user@example.org:22",
    "a style": ".sk-folding-cube-animation-two .sk-chase-dot",
    "a hash": "sha256-" + "a1b2" * 16,
    "words": "AKIA is how AWS keys begin; ghp_ and sk- are prefixes; xoxb-your-token-here",
    "a short token": "eyJhbGciOiJIUzI1NiJ9.e30.x",
}


@pytest.fixture
def root(tmp_path):
    root = tmp_path.resolve() / "root"
    root.mkdir()
    (root / "main.py").write_text("print(1)\n")
    return root


def put(root, name, text):
    path = root / name
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text)
    return path


@pytest.mark.parametrize("name", NAMES)
async def test_a_secret_by_its_name_is_left_out_and_refused(root, name):
    """In a directory it is named and not shown; by its path it is refused, naming the setting, unless the setting names it."""
    path = put(root, name, CANARY)
    found = {each.path: each for each in await FileReader().read([str(root)], (root,))}
    with pytest.raises(ArgumentError, match="EXAI_SECRET_FILES") as refused:
        await FileReader().read([str(path)], (root,))
    (sent,) = await FileReader(secret_files=(path,)).read([str(path)], (root,))

    assert not any(CANARY in each.text for each in found.values())
    assert "left out, it looks like a secret" in found[str(path)].reason
    assert "print(1)\n" == found[str(root / "main.py")].text
    assert CANARY not in refused.value.message
    assert CANARY == sent.text


@pytest.mark.parametrize("name", INNOCENT)
async def test_other_names_are_read_as_ever(root, name):
    """Examples, public halves and sources that merely speak of secrets are no secrets."""
    path = put(root, name, "harmless\n")
    (by_path,) = await FileReader().read([str(path)], (root,))
    found = await FileReader().read([str(root)], (root,))

    assert "harmless\n" == by_path.text
    assert "harmless\n" in [each.text for each in found]


@pytest.mark.parametrize("kind", LOOKS)
@pytest.mark.parametrize("encoding", ["utf-8", "utf-16"])
async def test_a_secret_by_its_look_is_left_out_and_refused(root, kind, encoding):
    """A key or token that stands in a file of any name, in any width of letters, keeps the file from being sent."""
    path = root / "notes.txt"
    path.write_bytes(f"first line\n{LOOKS[kind]}\nlast line\n".encode(encoding))
    found = {each.path: each for each in await FileReader().read([str(root)], (root,))}
    with pytest.raises(ArgumentError, match="EXAI_SECRET_FILES"):
        await FileReader().read([str(path)], (root,))
    (sent,) = await FileReader(secret_files=(path,)).read([str(path)], (root,))

    assert "" == found[str(path)].text
    assert "looks like a secret" in found[str(path)].reason
    assert LOOKS[kind] in sent.text


@pytest.mark.parametrize("kind", HARMLESS)
async def test_what_is_only_near_a_secret_is_read(root, kind):
    """First lines, placeholders and public parts are text like any other."""
    path = put(root, "notes.txt", f"{HARMLESS[kind]}\n")
    (found,) = await FileReader().read([str(path)], (root,))

    assert HARMLESS[kind] in found.text


@pytest.mark.parametrize(
    "name", [".git/config", ".git/HEAD", "deep/.git/config", ".GIT/config", ".git"]
)
async def test_git_itself_is_never_sent(root, name):
    """What lies in .git is in no directory's files, and is refused by its path even if the setting names it."""
    path = put(root, name, CANARY)
    for given in (path, path.parent if name != ".git" else path):
        with pytest.raises(ArgumentError, match="never sent"):
            await FileReader(secret_files=(path,)).read([str(given)], (root,))
    found = await FileReader(secret_files=(path,)).read([str(root)], (root,))

    assert not any(CANARY in each.text for each in found)


async def test_nothing_is_written_into_git(root):
    """A download goes to no place in .git."""
    (root / ".git" / "hooks").mkdir(parents=True)
    for place in (".git/hooks", ".git/hooks/post-commit"):
        with pytest.raises(ArgumentError, match="nothing is written there"):
            await FileReader().find_place(str(root / place), (root,))


async def test_a_link_does_not_hide_a_secret(root):
    """The name counts that a link leads to, and its own."""
    put(root, ".env", CANARY)
    (root / "plain.txt").symlink_to(root / ".env")
    put(root, "settings.txt", CANARY)
    (root / "id_rsa").symlink_to(root / "settings.txt")
    for name in ("plain.txt", "id_rsa"):
        with pytest.raises(ArgumentError, match="EXAI_SECRET_FILES"):
            await FileReader().read([str(root / name)], (root,))


async def test_the_setting_may_name_a_file_through_a_link(root):
    """EXAI_SECRET_FILES is resolved as paths of a call are."""
    path = put(root, ".env", CANARY)
    (root.parent / "link").symlink_to(root)
    (found,) = await FileReader(secret_files=(root.parent / "link" / ".env",)).read(
        [str(path)], (root,)
    )

    assert CANARY == found.text


async def test_the_setting_widens_no_root(root):
    """A file that it names is sent only to calls whose roots hold it."""
    path = put(root.parent, ".env", CANARY)
    with pytest.raises(ArgumentError, match="outside"):
        await FileReader(secret_files=(path,)).read([str(path)], (root,))


async def test_files_of_earlier_turns_follow_the_rule(root):
    """A file that has become a secret, or was sent when the setting still named it, is named without its text."""
    path = put(root, ".env", CANARY)
    (found,) = await FileReader().read_again([str(path)], (root,))

    assert ("", "an environment file") == (found.text, found.looks_like)


async def test_uploads_and_images_follow_the_rule(root):
    """What is given to a provider as bytes is looked at too, before the first byte goes."""
    files = FileReader()
    key = put(root, "notes.txt", LOOKS["rsa"])
    late = put(root, "log.txt", "x " * 2_500_000 + LOOKS["github"])
    picture = root / "tls.key"
    picture.write_bytes(b"\x89PNG\r\n\x1a\n")
    with pytest.raises(ArgumentError, match="EXAI_SECRET_FILES"):
        await files.check([str(root / "main.py"), str(key)], "file", (root,))
    async with files.opened(str(late), (root,), lambda size, name: None) as opened:
        pieces = iter(lambda: opened.file.read(1_000_000), b"")
        with pytest.raises(ArgumentError, match="EXAI_SECRET_FILES"):
            [opened.check(piece)() for piece in pieces]
    with pytest.raises(ArgumentError, match="EXAI_SECRET_FILES"):
        await files.read_images([str(picture)], (root,))
    assert {} == await files.read_images_again([str(picture)], (root,))


@pytest.mark.parametrize("at", range(0, 30, 4))
def test_a_secret_over_two_pieces_is_found(at):
    """Wherever a large file is cut into pieces, what stands across the cut is seen."""
    content = f"{'x ' * 3000}{LOOKS['github']} {'x ' * 100}".encode()
    cut = 6000 + at
    watch = sendable.Watch(sendable.Access(()), "/a", Path("/a"))
    watch.check(content[:cut])()
    last = watch.check(content[cut:])
    with pytest.raises(ArgumentError):
        last()


def one_by_one(content):
    """All that it looks like, each form looked for in all of it."""
    plain = content.replace(b"\0", b"")
    return {
        what
        for what, texts, pattern, _ in secrets._LOOKS
        if any(text in plain for text in texts) and re.search(pattern, plain)
    }


TEXTS = sorted({text for _, texts, _, _ in secrets._LOOKS for text in texts})
FOUND = sorted(look.encode() for look in LOOKS.values())


@pytest.mark.parametrize("first", TEXTS)
def test_all_forms_looked_for_at_once_are_those_looked_for_one_by_one(first):
    """However what begins like a secret stands before one, and runs into it."""
    for rest in (*TEXTS, *FOUND, *(found[:-9] for found in FOUND)):
        for between in (b"", b" ", first[:-1], b"\0"):
            content = first + between + rest
            assert secrets.by_look(content) in (one_by_one(content) or {""})


@hypothesis.given(st.lists(st.sampled_from([*TEXTS, *FOUND, b" ", b"-", b"a1B2" * 9])))
def test_whatever_stands_together_is_looked_for_alike(parts):
    content = b"".join(parts)
    assert secrets.by_look(content) in (one_by_one(content) or {""})


def test_a_look_takes_no_longer_than_reading():
    """A megabyte of any kind is looked at in well under a second, also where half of it resembles something."""
    for text in (
        "a://" * 250_000,
        "sk-a-" * 200_000,
        "-----BEGIN PRIVATE KEY-----" * 38_000,
        "eyJ" * 340_000,
        "x" * 1_000_000,
    ):
        before = time.process_time()
        secrets.by_look(text.encode())
        assert time.process_time() - before < 1
