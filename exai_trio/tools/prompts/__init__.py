"""Prompt assembly: the only package that puts a prompt together. Pure."""

from .conversation import Material, Question, assemble, estimate

__all__ = ["Material", "Question", "assemble", "estimate"]
