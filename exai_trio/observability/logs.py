"""The one place that sets logging up: files, levels, redaction, ids.

What is logged stands where it happens. Use elsewhere: `log = logging.getLogger("exai.<area>")`, then `log.info("fixed phrase",
extra={"key": value})`. Nothing here fails the program: without a place to write, records go to stderr, and to the file once it
can be written.
"""

import logging
import os
import sys
from collections.abc import Generator
from contextlib import contextmanager
from contextvars import ContextVar
from pathlib import Path
from typing import Any, Literal, cast

from exai_trio.config import Config
from exai_trio.errors import ExaiError
from exai_trio.observability.json_bytes import json_bytes
from exai_trio.observability.redaction import LONGEST_TRACE, Redaction
from exai_trio.observability.rotating_file import RotatedFile
from exai_trio.observability.times import rfc3339
from exai_trio.system.private_files import AT_ONCE, private_directory, tighten

session_id: ContextVar[str] = ContextVar("session_id", default="")
request_id: ContextVar[str] = ContextVar("request_id", default="")
correlation_id: ContextVar[str] = ContextVar("correlation_id", default="")
principal: ContextVar[str] = ContextVar("principal", default="")  # "" for the home's owner
_IDS = (principal, session_id, request_id, correlation_id)

LogName = Literal["ws_daemon", "ws_shim"]
MAX_BYTES = 10 * 1024 * 1024
LOOSE = "others could look into a directory of EXAI's; they cannot any more"
OTHERS = 0o027  # whoever collects logs may be of our group
KEEP = 5  # older files beside the one that is written
OURS = "exai"
CHATTY = (
    "httpx",
    "httpx2",
    "httpcore",
    "httpcore2",
    "hpack",
    "h2",
    "openai",
    "trio-websocket",
    "hypercorn",
)
# What every record has: all that a record has besides came through `extra`.
_PLAIN = frozenset(vars(logging.makeLogRecord({}))) | {"message", "asctime", "taskName"}


class _Chatter(logging.Filter):
    """Holds foreign loggers at WARNING, also those that set their own level when they are imported; and leaves out what was only to be counted."""

    def filter(self, record: logging.LogRecord) -> bool:
        if getattr(record, "counted_only", False):
            return False
        ours = record.name == OURS or record.name.startswith(f"{OURS}.")
        return ours or record.levelno >= logging.WARNING


class _Form(logging.Formatter):
    """One record as one line, redacted. Ids come from the task that logs."""

    def __init__(self, redaction: Redaction) -> None:
        super().__init__()
        self._redaction = redaction

    def fields(self, record: logging.LogRecord) -> dict[str, Any]:
        ids = {var.name: var.get() for var in _IDS if var.get()}
        extra = {name: value for name, value in vars(record).items() if name not in _PLAIN}
        found = {
            name: self._redaction.value(value, name) for name, value in {**ids, **extra}.items()
        }
        if record.exc_info:
            found["exception"] = self._redaction.text(
                self.formatException(record.exc_info), LONGEST_TRACE
            )
        return found

    def phrase(self, record: logging.LogRecord) -> str:
        return self._redaction.text(record.getMessage())


class JsonForm(_Form):
    """A JSON object: t, level, logger, event, then the ids and keys."""

    def format(self, record: logging.LogRecord) -> str:
        head = {
            "t": rfc3339(record.created),
            "level": record.levelname,
            "logger": record.name,
            "event": self.phrase(record),
        }
        return json_bytes({**self.fields(record), **head}).decode()


class TextForm(_Form):
    """Time, level, logger, phrase, keys; a traceback stands on lines of its own."""

    def format(self, record: logging.LogRecord) -> str:
        fields = self.fields(record)
        trace = fields.pop("exception", None)
        head = f"{rfc3339(record.created)} {record.levelname:<7} {record.name}: {_flat(self.phrase(record))}"
        line = " ".join([head, *(f"{key}={_flat(value)}" for key, value in fields.items())])
        return f"{line}\n{trace}" if trace else line


@contextmanager
def open_logs(config: Config, name: LogName) -> Generator[None]:
    """Log to EXAI_HOME/logs/{name}.log, and to stderr when it is a terminal or is asked for, until the context is left."""
    path = config.logs / f"{name}.log"
    fault = _unwritable(path)
    tightened = fault is None and tighten(path.parent, OTHERS)
    handlers = _handlers(config, path, writable=fault is None)
    root, ours = logging.getLogger(), logging.getLogger(OURS)
    levels = {logger: logger.level for logger in (root, ours, *map(logging.getLogger, CHATTY))}
    for logger in levels:
        logger.setLevel(logging.WARNING)
    ours.setLevel(config.log_level)
    for handler in handlers:
        root.addHandler(handler)
    try:
        if fault is not None:
            logging.getLogger("exai.logs").warning("no log file", extra={"reason": fault})
        if tightened:
            logging.getLogger("exai.logs").warning(LOOSE, extra={"directory": str(path.parent)})
        yield
    except Exception as fault:
        if not _foreseen(fault):
            logging.getLogger("exai.process").exception("unexpected fault")
        raise
    finally:
        for handler in handlers:
            root.removeHandler(handler)
            handler.close()
        for logger, level in levels.items():
            logger.setLevel(level)


def _foreseen(fault: BaseException) -> bool:
    """True for faults of our own tree, alone or in groups: they are said to whoever asked, not logged here."""
    if isinstance(fault, BaseExceptionGroup):
        parts = cast("BaseExceptionGroup[BaseException]", fault).exceptions
        return all(map(_foreseen, parts))
    return isinstance(fault, ExaiError)


def secrets_of(config: Config) -> tuple[str, ...]:
    """A variable called a key may hold the path of one, and paths are what logs are read for."""
    named = [key for key in config.provider_keys.values() if not key.startswith(("/", "~", "."))]
    return (config.ws_token, config.jwt_secret_key, config.glm_api_key, config.kimi_api_key, *named)


def _handlers(config: Config, path: Path, *, writable: bool) -> list[logging.Handler]:
    redaction = Redaction.knowing(secrets_of(config))
    terminal = sys.stderr is not None and sys.stderr.isatty()
    file = RotatedFile(path, MAX_BYTES, KEEP)
    file.setFormatter(TextForm(redaction) if config.log_format == "text" else JsonForm(redaction))
    handlers: list[logging.Handler] = [file]
    if terminal or config.log_stderr or not writable:
        screen = _Screen()
        text = config.log_format == "text" or (config.log_format == "auto" and terminal)
        screen.setFormatter(TextForm(redaction) if text else JsonForm(redaction))
        handlers.append(screen)
    for handler in handlers:
        handler.addFilter(_Chatter())
    return handlers


class _Screen(logging.StreamHandler[Any]):
    """stderr; a reader that has gone away is no fault."""

    def handleError(self, record: logging.LogRecord) -> None:  # noqa: N802  # logging's name
        return


def _unwritable(path: Path) -> str | None:
    """Why the file cannot be written, or None. Nothing is created but the folder."""
    try:
        private_directory(path.parent)
    except OSError as fault:
        return str(fault)
    target = path if path.exists() else path.parent
    if not os.access(target, os.W_OK):
        return f"{target} is not writable"
    return f"{path} is a pipe that nobody reads" if _is_dead_pipe(path) else None


def _is_dead_pipe(path: Path) -> bool:
    if not path.is_fifo():
        return False
    try:
        os.close(os.open(path, os.O_WRONLY | AT_ONCE))
    except OSError:  # audit: fault-as-success, because nobody reads there, so it is dead
        return True
    return False


def _flat(value: object) -> str:
    text = value if isinstance(value, str) else json_bytes(value).decode()
    return text if text.isprintable() else json_bytes(text).decode()
