"""Mutation testing: changes of one node of a module's syntax tree, and the tests that should notice each."""
