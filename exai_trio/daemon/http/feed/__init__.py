"""The feed of the pages: one WebSocket a page, a tick a second, the older system's commands."""
