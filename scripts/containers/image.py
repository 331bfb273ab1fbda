"""The image, built without a public one: a base of Debian's packages, wheels by hash, and no network while it is built."""

import shutil
import subprocess
from pathlib import Path
from typing import Final

from .canaries import KEY, TOKEN
from .engine import ROOT, Engine, EngineError

BASE: Final = "exai-base"
IMAGE: Final = "exai-trio"
# What the base has beside Debian's smallest: what the Dockerfile expects of it.
_PACKAGES: Final = "python3,python3-venv,ca-certificates,git"
_SOURCES: Final = (Path("/etc/apt/sources.list.d/debian.sources"), Path("/etc/apt/sources.list"))


def build(engine: Engine) -> int:
    """Build what is missing of base and wheels, and the image. Returns how many bytes it has above its base. Raises EngineError."""
    engine.prepare()
    if not _has(engine, BASE):
        _build_base(engine)
    _download_wheels(engine)
    context = _context(engine)
    engine.podman(
        *("build", "--quiet", "--format", "docker", "--network", "none"),
        *("--build-arg", f"BASE={BASE}", "--build-arg", "PIP_NO_INDEX=1"),
        *("--build-arg", "PIP_FIND_LINKS=/wheels", "-v", f"{engine.place / 'wheels'}:/wheels:ro"),
        *("-t", IMAGE, str(context)),
    )
    return _bytes(engine, IMAGE) - _bytes(engine, BASE)


def _context(engine: Engine) -> Path:
    """The project as it lies in a user's folder, with secrets beside it that must be in no layer."""
    context = engine.place / "context"
    shutil.rmtree(context, ignore_errors=True)
    left_out = shutil.ignore_patterns(
        ".venv", ".git", ".containers", ".editors", "__pycache__", ".*_cache"
    )
    shutil.copytree(ROOT, context, ignore=left_out, symlinks=True)
    (context / ".env").write_text(f"GLM_API_KEY={KEY}\nEXAI_WS_TOKEN={TOKEN}\n")
    return context


def _has(engine: Engine, image: str) -> bool:
    return bool(engine.podman("images", "--quiet", image))


def _bytes(engine: Engine, image: str) -> int:
    return int(engine.podman("image", "inspect", "--format", "{{.Size}}", image))


def _build_base(engine: Engine) -> None:
    tar = engine.place / "base.tar"
    sources = next((str(path) for path in _SOURCES if path.exists()), None)
    if sources is None:
        raise EngineError("this is no Debian: there is no list of sources for the base")
    suite = engine.run("sh", "-c", ". /etc/os-release && echo $VERSION_CODENAME")
    engine.run(
        *("mmdebstrap", "--variant=minbase", f"--include={_PACKAGES}", suite, str(tar), sources)
    )
    engine.podman("import", "--quiet", str(tar), BASE)
    tar.unlink()


def _download_wheels(engine: Engine) -> None:
    """What the lock files name, for the Python of the base."""
    said = engine.podman("run", "--rm", "--network", "none", BASE, "python3", "-V")
    version = ".".join(said.removeprefix("Python ").split(".")[:2])
    folder = engine.place / "wheels"
    for lock in ("requirements.lock", "requirements-build.lock"):
        command = (
            *(
                "python3",
                "-m",
                "pip",
                "download",
                "--quiet",
                "--require-hashes",
                "--only-binary",
                ":all:",
            ),
            *("--python-version", version, "-r", str(ROOT / lock), "-d", str(folder)),
        )
        done = subprocess.run(command, check=False, capture_output=True, text=True)
        if done.returncode:
            shutil.rmtree(folder, ignore_errors=True)
            raise EngineError(f"{lock}: {done.stderr.strip()[-600:]}")
