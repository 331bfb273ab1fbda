"""How settings are named, parsed, checked and printed. Pure; the values themselves are `exai_trio.config`."""
