"""MCP over Streamable HTTP: one URL for clients that cannot start a process."""
