"""The workflow tools: one engine, and a small module for each kind of tool."""
