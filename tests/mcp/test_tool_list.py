"""The tool list as it is kept."""

from exai_trio.mcp.tool_list import from_file, listing_of, to_file


def test_a_copy_of_the_list_is_taken_only_if_it_is_whole():
    """A cut, changed or foreign file is no list."""
    content = to_file(listing_of([{"name": "chat", "inputSchema": {"type": "object"}}]))

    assert (
        from_file(content).hash
        == listing_of([{"name": "chat", "inputSchema": {"type": "object"}}]).hash
    )
    for broken in (b"", b"{}", content[:-9], content.replace(b"chat", b"chot"), b"\xff", b"[1]"):
        assert from_file(broken) is None
    assert listing_of([]) is None
