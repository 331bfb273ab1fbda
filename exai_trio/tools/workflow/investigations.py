"""The tools that examine code or a problem step by step and then ask an expert.

These are analyze, debug, codereview, refactor, secaudit, testgen and thinkdeep. Data only.
"""

from typing import Literal

from exai_trio import structs
from exai_trio.tools.statuses import Status
from exai_trio.tools.workflow.definition import Workflow
from exai_trio.tools.workflow.engine import tool
from exai_trio.tools.workflow.step_arguments import Inquiry, Investigation, Names, Severity


@structs.frozen(kw_only=True)
class AnalyzeArguments(Investigation):
    """What analyze takes."""

    analysis_type: Literal["architecture", "performance", "security", "quality", "general"] = (
        "general"
    )
    output_format: Literal["summary", "detailed", "actionable"] = "detailed"


@structs.frozen(kw_only=True)
class CodereviewArguments(Inquiry):
    """What codereview takes."""

    review_type: Literal["full", "security", "performance", "quick"] = "full"
    focus_on: str = ""
    standards: str = ""
    severity_filter: Severity = "all"


@structs.frozen(kw_only=True)
class RefactorArguments(Inquiry):
    """What refactor takes."""

    refactor_type: Literal["codesmells", "decompose", "modernize", "organization"] = "codesmells"
    focus_areas: Names = ()
    style_guide_examples: Names = ()


@structs.frozen(kw_only=True)
class SecauditArguments(Inquiry):
    """What secaudit takes."""

    security_scope: str = ""
    threat_level: Literal["low", "medium", "high", "critical"] = "medium"
    compliance_requirements: Names = ()
    audit_focus: Literal[
        "owasp", "compliance", "infrastructure", "dependencies", "comprehensive"
    ] = "comprehensive"
    severity_filter: Severity = "all"


@structs.frozen(kw_only=True)
class ThinkdeepArguments(Inquiry):
    """What thinkdeep takes."""

    problem_context: str = ""
    focus_areas: Names = ()


_WORKFLOWS = (
    Workflow(
        name="analyze",
        description="Stepwise code or architecture analysis: you investigate between steps, then an expert judges.",
        arguments=AnalyzeArguments,
        done=Status.ANALYSIS_COMPLETE,
        actions=(
            "Read the entry points and the modules they lead to; follow the data, not the folder names.",
            "Note where the structure helps and where it hinders, each with a place and a consequence.",
            "Name the files that the judgement rests on in relevant_files.",
        ),
    ),
    Workflow(
        name="debug",
        description="Stepwise root-cause search: you investigate between steps, then an expert judges.",
        arguments=Inquiry,
        done=Status.INVESTIGATION_COMPLETE,
        actions=(
            "Reproduce the fault, or find the evidence for it: messages, logs, the change after which it began.",
            "Follow the code from the symptom towards the cause, and say what you have ruled out and how.",
            "State one hypothesis that a single observation could refute, and make that observation.",
        ),
    ),
    Workflow(
        name="codereview",
        description="Stepwise review of relevant_files: you investigate between steps, then an expert judges.",
        arguments=CodereviewArguments,
        done=Status.CODE_REVIEW_COMPLETE,
        needs_files=True,
        actions=(
            "Read every file in question whole, and the callers of what it exports.",
            "Look for wrong results, unhandled failures, races, leaks, holes and missing tests before style.",
            "Note each finding in issues_found with severity, description and place.",
        ),
    ),
    Workflow(
        name="refactor",
        description="Stepwise search for refactorings: you investigate between steps, then an expert judges.",
        arguments=RefactorArguments,
        done=Status.ANALYSIS_COMPLETE,
        actions=(
            "Find what is hard to change or to test: long functions, mixed duties, duplicates, hidden state.",
            "For each, note place, type and what a change to it costs today in issues_found.",
            "Check which tests hold the behaviour that must stay.",
        ),
    ),
    Workflow(
        name="testgen",
        description="Stepwise tests for relevant_files: you investigate between steps, then an expert writes them.",
        arguments=Inquiry,
        done=Status.ANALYSIS_COMPLETE,
        needs_files=True,
        actions=(
            "Read the code under test and one existing test file; name both in relevant_files.",
            "List the inputs, states and failures that matter, and which of them no test covers.",
            "Note in findings the framework, fixtures and style that the project uses.",
        ),
    ),
    Workflow(
        name="thinkdeep",
        description="Stepwise reasoning: you investigate between steps, then a thinking model goes on.",
        arguments=ThinkdeepArguments,
        done=Status.THINKDEEP_COMPLETE,
        thinking="high",
        seldom=frozenset(),
        temperature=0.5,
        actions=(
            "Write down what is known, what is assumed, and what would change your mind.",
            "Look for the strongest alternative and say why it loses, or that it does not.",
            "Check at least one assumption against code or documents.",
        ),
    ),
    Workflow(
        name="secaudit",
        description="Stepwise security audit of relevant_files: you investigate between steps, then an expert judges.",
        arguments=SecauditArguments,
        done=Status.ANALYSIS_COMPLETE,
        visibility="advanced",
        needs_files=True,
        actions=(
            "List where untrusted input enters, and follow each to where it has effect.",
            "Check authentication, authorisation, secrets, queries, paths, deserialisation and dependencies.",
            "Note each weakness in issues_found with severity, description, place and how it is exploited.",
        ),
    ),
)

TOOLS = tuple(map(tool, _WORKFLOWS))
