"""Calls as MCP asks for them: who waits for which, what they are told, and when at the latest."""
