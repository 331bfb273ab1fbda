"""How long a call may take follows the kind of its tool."""

import pytest

from exai_trio.config import Config
from exai_trio.daemon.calls.limits import longest
from exai_trio.tools.registry import BUILT_IN


@pytest.mark.parametrize("tool", BUILT_IN, ids=lambda tool: tool.name)
def test_the_deadline_follows_the_kind(tool):
    """SIMPLE_TOOL_TIMEOUT_SECS for simple tools, WORKFLOW_TOOL_TIMEOUT_SECS for workflow tools."""
    config = Config(simple_tool_timeout_secs=7.0, workflow_tool_timeout_secs=77.0)

    assert longest(config, tool) == (77.0 if tool.kind == "workflow" else 7.0)


def test_defaults_are_the_documented_ones():
    """60, 300 and 180 seconds."""
    config = Config()

    assert (60.0, 300.0, 180.0) == (
        config.simple_tool_timeout_secs,
        config.workflow_tool_timeout_secs,
        config.expert_analysis_timeout_secs,
    )
