"""What a module does to the world: sockets, processes, files, environment, clock, threads."""

import ast

from auditing.source import last_name

ABOUT = {
    "sockets": "opens, accepts or reads connections",
    "processes": "starts, replaces or signals processes",
    "files": "reads or writes files",
    "environment": "reads the environment or the user's folders",
    "clock": "asks what time it is",
    "threads": "starts threads, or is called from one",
}
MODULES = {
    "socket": "sockets",
    "ssl": "sockets",
    "httpx2": "sockets",
    "hypercorn": "sockets",
    "trio.socket": "sockets",
    "http.client": "sockets",
    "urllib.request": "sockets",
    "selectors": "sockets",
    "subprocess": "processes",
    "multiprocessing": "processes",
    "pty": "processes",
    "sqlite3": "files",
    "shutil": "files",
    "tempfile": "files",
    "mmap": "files",
    "time": "clock",
    "threading": "threads",
    "_thread": "threads",
    "queue": "threads",
    "concurrent.futures": "threads",
}
CALLS = {
    "sockets": {
        "trio.socket": {"socket", "fromfd", "from_stdlib_socket"},
        "trio": {
            "open_tcp_stream",
            "serve_tcp",
            "open_tcp_listeners",
            "open_unix_socket",
            "open_ssl_over_tcp_stream",
        },
    },
    "processes": {
        "trio": {"run_process"},
        "trio.lowlevel": {"open_process"},
        "lowlevel": {"open_process"},
        "os": {
            "fork",
            "execv",
            "execve",
            "execvp",
            "execvpe",
            "kill",
            "killpg",
            "spawnv",
            "system",
            "posix_spawn",
            "waitpid",
            "popen",
        },
        "signal": {"raise_signal", "pthread_kill"},
    },
    "files": {
        "trio": {"open_file", "Path", "wrap_file"},
        "os": {
            "open",
            "replace",
            "rename",
            "remove",
            "unlink",
            "mkdir",
            "makedirs",
            "scandir",
            "listdir",
            "stat",
            "lstat",
            "walk",
            "rmdir",
            "link",
            "symlink",
            "readlink",
            "fsync",
            "truncate",
            "chmod",
            "statvfs",
        },
        "os.path": {
            "exists",
            "isfile",
            "isdir",
            "realpath",
            "getsize",
            "getmtime",
            "islink",
            "samefile",
        },
        "fcntl": {"flock", "lockf"},
        "sqlite3": {"connect"},
    },
    "environment": {
        "os": {"environ", "getenv", "environb", "putenv"},
        "os.path": {"expanduser", "expandvars"},
        "Path": {"home", "cwd"},
    },
    "clock": {
        "trio": {"current_time"},
        "datetime": {"now", "today", "utcnow"},
        "datetime.datetime": {"now", "today", "utcnow"},
        "date": {"today"},
    },
    "threads": {
        "trio.to_thread": {"run_sync"},
        "trio.from_thread": {"run", "run_sync", "check_cancelled"},
        "to_thread": {"run_sync"},
        "from_thread": {"run", "run_sync", "check_cancelled"},
    },
}
NAMES = {
    (holder, name): effect
    for effect, by in CALLS.items()
    for holder, names in by.items()
    for name in names
}
OF_PATHS = {
    "read_text",
    "read_bytes",
    "write_text",
    "write_bytes",
    "unlink",
    "touch",
    "rmdir",
    "iterdir",
    "rglob",
    "glob",
    "lstat",
    "is_file",
    "is_dir",
    "is_symlink",
    "is_fifo",
    "mkdir",
    "symlink_to",
    "hardlink_to",
    "chmod",
    "exists",
}


def effects(tree):
    """Line and effect of each place of a module that has one."""
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            for alias in node.names:
                if alias.name in MODULES:
                    yield node.lineno, MODULES[alias.name]
        elif isinstance(node, ast.ImportFrom):
            yield from _from(node)
        elif isinstance(node, ast.Attribute):
            effect = NAMES.get((ast.unparse(node.value), node.attr))
            if effect:
                yield node.lineno, effect
        elif isinstance(node, ast.Call):
            yield from _called(node)


def _from(node):
    if node.module in MODULES:
        yield node.lineno, MODULES[node.module]
    for alias in node.names:
        if effect := NAMES.get((node.module, alias.name)):
            yield node.lineno, effect


def _called(node):
    if isinstance(node.func, ast.Name) and node.func.id == "open":
        yield node.lineno, "files"
    elif isinstance(node.func, ast.Attribute):
        if node.func.attr in OF_PATHS:
            yield node.lineno, "files"
        elif node.func.attr in {"expanduser", "home"} and last_name(node.func.value):
            yield node.lineno, "environment"
