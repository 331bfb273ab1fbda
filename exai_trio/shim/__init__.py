"""The shim: MCP over stdio for an editor, relayed to the daemon."""
