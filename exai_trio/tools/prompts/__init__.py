"""Prompt assembly: the only package that puts a prompt together. Pure."""

from .conversation import Material, Question, assemble, estimate
from .experts import SYSTEM, TASKS, for_panel
from .investigation import Section, investigation, issue_line, question_only

__all__ = [
    "SYSTEM",
    "TASKS",
    "Material",
    "Question",
    "Section",
    "assemble",
    "estimate",
    "for_panel",
    "investigation",
    "issue_line",
    "question_only",
]
