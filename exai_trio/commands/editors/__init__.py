"""Editors: how each is told of the shim, and how its own file is changed and given back as it was."""
