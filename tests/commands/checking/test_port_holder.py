"""Who has a port that we want."""

import os
import pathlib
import socket
import sys

import pytest

from exai_trio.commands.checking import port_holder

TABLE = """  sl  local_address rem_address   st tx_queue rx_queue tr tm->when retrnsmt   uid  timeout inode
   0: 0100007F:1F90 00000000:0000 0A 00000000:00000000 00:00000000 00000000  1000 0 777 1 0
   1: 0100007F:1F90 00000000:0000 01 00000000:00000000 00:00000000 00000000  1000 0 778 1 0
"""


def proc(folder, *, command: str):
    (folder / "net").mkdir()
    (folder / "net" / "tcp").write_text(TABLE)
    process = folder / "812"
    (process / "fd").mkdir(parents=True)
    (process / "cmdline").write_text(command)
    pathlib.Path(process / "fd" / "3").symlink_to("socket:[777]")
    return folder


@pytest.mark.parametrize(
    ("command", "said"),
    [
        ("/usr/bin/llama-server\0-m\0model.gguf\0", "llama-server (process 812)"),
        ("/x/python\0-P\0-m\0exai_trio\0serve\0", "another exai (process 812)"),
    ],
)
def test_a_process_of_ours_is_named(tmp_path, command, said):
    """As the system's tables have it."""
    assert said == port_holder.holder(8080, proc(tmp_path, command=command))


@pytest.mark.real
def test_this_process_is_found():
    """By the real tables, where there are such."""
    if sys.platform != "linux":
        pytest.skip("no /proc here")
    with socket.create_server(("127.0.0.1", 0)) as taken:
        assert f"(process {os.getpid()})" in port_holder.holder(taken.getsockname()[1])


@pytest.mark.real
def test_nobody_is_nobody(tmp_path, unused_tcp_port):
    """A port that is free."""
    assert "" == port_holder.holder(unused_tcp_port, tmp_path)
