"""The arguments that workflow tools share: bases for their argument classes, each tool adding its own. Pure.

Hardly a description here: every tool list carries them once per tool. What to send is said in the answers.
"""

from typing import Annotated, Any, Literal

from msgspec import Meta

from exai_trio import structs

Confidence = Literal["exploring", "low", "medium", "high", "very_high", "almost_certain", "certain"]
Thinking = Literal["minimal", "low", "medium", "high", "max"]
Severity = Literal["critical", "high", "medium", "low", "all"]
Positive = Annotated[int, Meta(ge=1)]
Temperature = Annotated[float, Meta(ge=0, le=1)]
Count = Annotated[int, Meta(ge=0)]
Names = tuple[str, ...]
# An object, says the list; a plain text is taken too, as an object that describes itself.
Described = Annotated[Any, Meta(extra_json_schema={"type": "object"})]

# What only the full list shows: bookkeeping, and what has a good default.
SELDOM = frozenset(
    {
        "backtrack_from_step", "compliance_requirements", "current_model_index", "files_checked", "focus_areas",
        "images", "include_staged", "include_unstaged", "is_branch_point", "is_step_revision", "model_responses",
        "more_steps_needed", "output_format", "relevant_context", "security_scope", "severity_filter", "standards",
        "style_guide_examples", "temperature", "threat_level", "use_assistant_model", "use_websearch",
    }
)  # fmt: skip

# What is recorded with every step under names of its own; all other arguments are the tool's own.
COMMON = frozenset(
    {
        "step", "step_number", "total_steps", "next_step_required", "findings", "files_checked",
        "relevant_files", "relevant_context", "issues_found", "confidence", "hypothesis", "images",
        "backtrack_from_step", "use_assistant_model", "temperature", "thinking_mode", "use_websearch",
        "continuation_id", "model", "branch_id",
    }
)  # fmt: skip


@structs.frozen(kw_only=True)
class Stepwise:
    """Every workflow tool."""

    step: Annotated[str, Meta(min_length=1)]
    step_number: Positive
    total_steps: Positive
    next_step_required: bool
    continuation_id: str = ""


@structs.frozen(kw_only=True)
class Evidence(Stepwise):
    """Tools that collect what was found in files."""

    findings: str
    relevant_files: Names = ()
    relevant_context: Names = ()


@structs.frozen(kw_only=True)
class Investigation(Evidence):
    """Tools that ask an expert at the end."""

    files_checked: Names = ()
    issues_found: tuple[Described, ...] = ()
    confidence: Confidence | None = None
    backtrack_from_step: Positive | None = None
    use_assistant_model: bool = True
    temperature: Temperature | None = None
    thinking_mode: Thinking | None = None
    use_websearch: bool = True
    images: Names = ()
    model: str = ""


@structs.frozen(kw_only=True)
class Inquiry(Investigation):
    """Investigations that follow a hypothesis."""

    hypothesis: str = ""
