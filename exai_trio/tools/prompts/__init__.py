"""Prompt assembly: the only package that puts a prompt together. Pure."""

from .assembly import Material, Question, assemble
from .context_window import Room, whole_size
from .experts import SYSTEM, TASKS, for_panel
from .investigation import Section, investigation, issue_line, question_only

__all__ = [
    "SYSTEM",
    "TASKS",
    "Material",
    "Question",
    "Room",
    "Section",
    "assemble",
    "for_panel",
    "investigation",
    "issue_line",
    "question_only",
    "whole_size",
]
