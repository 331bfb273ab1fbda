"""Byte borders: WebSocket and stdio."""
