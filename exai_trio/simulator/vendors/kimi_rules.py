"""What Kimi refuses in a chat request, and whether it will think. Pure: no trio, no clock, no I/O."""

import re
from collections import Counter
from collections.abc import Callable

from ..chat.prompt import Prompt, Said
from ..chat.prompt_cache import prompt_tokens
from ..json_fields import a_list, a_number, a_text, an_object
from .error_bodies import Refused, kimi_refusal
from .model_list import KIMI_MODELS, Model

ROLES = frozenset({"system", "user", "assistant", "tool"})
TOOL_TYPES = frozenset({"function", "builtin_function"})
TOOL_NAME = re.compile(r"^[a-zA-Z_][a-zA-Z0-9-_]{2,63}$")
BUILTIN = "$web_search"
MAX_TOOLS = 128
MAX_STOPS = 5
MAX_STOP_BYTES = 32
THINKING_TEMPERATURE = 1.0
PLAIN_TEMPERATURE = 0.6

# Fields that the service does not know. It ignores them, so does the simulator, and the request log names them.
UNKNOWN_FIELDS = frozenset({"request_id", "user_id", "do_sample", "tool_stream", "web_search"})

# Whether a file of that id can be seen by a model; the files themselves are the shelf's.
Sees = Callable[[str], bool]


def kimi_model(name: str) -> Model:
    """Raises: Refused with the 404 that gone and unknown models share."""
    if name not in KIMI_MODELS:
        raise Refused(kimi_refusal("not_found", what=name))
    return KIMI_MODELS[name]


def kimi_thinks(prompt: Prompt) -> bool:
    model = KIMI_MODELS[prompt.model]
    return model.thinking == "always" or prompt.thinking_type != "disabled"


def check_kimi(prompt: Prompt, sees: Sees) -> None:
    """Raises: Refused with the first fault."""
    model = kimi_model(prompt.model)
    for check in (_messages, _sampling, _limits, _thinking, _tools, _tool_choice, _history):
        check(prompt, model)
    _media(prompt, sees)
    asked = prompt.max_tokens or 0
    if prompt_tokens(prompt) + asked > model.context:
        raise Refused(kimi_refusal("token_limit", what=str(model.context)))


def _invalid(text: str) -> Refused:
    return Refused(kimi_refusal("invalid", what=text))


def _plain(text: str) -> Refused:
    """The refusals that the service sends without its usual opening words."""
    return Refused(kimi_refusal("invalid", text))


def _messages(prompt: Prompt, _model: Model) -> None:
    if not prompt.messages:
        raise _invalid("messages must not be empty")
    for place, said in enumerate(prompt.messages):
        if said.role not in ROLES:
            raise _invalid(f"unsupported role {said.role} at position {place}")
        if _empty(said):
            raise _invalid(
                f"the message at position {place} with role '{said.role}' must not be empty"
            )


def _empty(said: Said) -> bool:
    return not (said.text.strip() or said.images or said.videos or said.calls or said.partial)


def _sampling(prompt: Prompt, _model: Model) -> None:
    temperature = THINKING_TEMPERATURE if kimi_thinks(prompt) else PLAIN_TEMPERATURE
    fixed = (
        ("temperature", temperature),
        ("top_p", 0.95),
        ("n", 1),
        ("presence_penalty", 0),
        ("frequency_penalty", 0),
    )
    for name, allowed in fixed:
        value = prompt.body.get(name)
        if value is not None and a_number(value) != allowed:
            raise _plain(f"invalid {name}: only {allowed:g} is allowed for this model")


def _limits(prompt: Prompt, model: Model) -> None:
    if prompt.max_tokens is not None and not 1 <= prompt.max_tokens <= model.output:
        raise _invalid(f"max_completion_tokens must be between 1 and {model.output}")
    stop = prompt.body.get("stop")
    stops = a_list(stop) or [a_text(stop)]
    if len(stops) > MAX_STOPS:
        raise _invalid(f"stop accepts at most {MAX_STOPS} strings")
    if any(len(a_text(word).encode("utf-8", "replace")) > MAX_STOP_BYTES for word in stops):
        raise _invalid(f"each stop string must be at most {MAX_STOP_BYTES} bytes")
    _response_format(prompt)


def _response_format(prompt: Prompt) -> None:
    wanted = an_object(prompt.body.get("response_format"))
    kind = wanted.get("type", "text")
    if kind not in {"text", "json_object", "json_schema"}:
        raise _invalid(f"response_format.type {kind} is not supported")
    if kind == "json_schema" and not an_object(wanted.get("json_schema")):
        raise _invalid("response_format.json_schema is required")


def _thinking(prompt: Prompt, model: Model) -> None:
    if model.effort:
        if "thinking" in prompt.body:
            raise _invalid(f"thinking is not supported by {model.name}, use reasoning_effort")
        if prompt.effort and prompt.effort not in model.effort:
            raise _invalid(f"reasoning_effort must be one of {', '.join(model.effort)}")
    elif model.thinking == "always" and prompt.thinking_type == "disabled":
        raise _invalid(f"thinking cannot be disabled for {model.name}")
    elif prompt.thinking_type not in {"", "enabled", "disabled"}:
        raise _invalid("thinking.type must be enabled or disabled")


def _tools(prompt: Prompt, _model: Model) -> None:
    if len(prompt.tools) > MAX_TOOLS:
        raise _invalid(f"tools must not be more than {MAX_TOOLS}")
    names: Counter[str] = Counter()
    for tool in prompt.tools:
        name = a_text(an_object(tool.get("function")).get("name"))
        _tool(a_text(tool.get("type")), name)
        names[name] += 1
    for name, times in names.items():
        if times > 1:
            raise _invalid(f"function name {name} is duplicated")


def _tool(kind: str, name: str) -> None:
    if kind not in TOOL_TYPES:
        raise _invalid(f"tool type {kind} is not supported")
    if kind == "builtin_function":
        if name != BUILTIN:
            raise _invalid(f"builtin function {name} is not found")
    elif not TOOL_NAME.match(name):
        raise _invalid(f"function name {name} is invalid, must match {TOOL_NAME.pattern}")


def _tool_choice(prompt: Prompt, model: Model) -> None:
    choice = prompt.body.get("tool_choice")
    if choice in (None, "auto", "none"):
        return
    named = not isinstance(choice, str)
    if named and kimi_thinks(prompt):
        raise _plain("tool_choice 'specified' is incompatible with thinking enabled")
    if choice == "required" and kimi_thinks(prompt) and not model.effort:
        raise _plain("tool_choice 'required' is incompatible with thinking enabled")
    if not named and choice != "required":
        raise _invalid(f"tool_choice {choice} is not supported")


def _history(prompt: Prompt, _model: Model) -> None:
    """Tool messages must answer the calls before them, one each, and thinking models want their thoughts back."""
    open_calls: dict[str, str] = {}
    for place, said in enumerate(prompt.messages):
        if said.role == "tool":
            _take_answer(said, open_calls)
        elif open_calls:
            break
        elif said.calls:
            if kimi_thinks(prompt) and said.reasoning is None:
                raise _invalid(
                    "thinking is enabled but reasoning_content is missing"
                    f" in assistant tool call message at index {place}"
                )
            open_calls = {call.id: _echoed(call.name, call.arguments) for call in said.calls}
    if open_calls:
        raise _invalid(
            "an assistant message with 'tool_calls' must be followed by tool messages responding to each"
            " 'tool_call_id': the number of tool messages does not match the number of tool_calls;"
            f" no response for {', '.join(open_calls)}"
        )


def _echoed(name: str, arguments: str) -> str:
    return arguments if name == BUILTIN else ""


def _take_answer(said: Said, open_calls: dict[str, str]) -> None:
    if said.answers not in open_calls:
        raise _invalid(f"tool_call_id not found: {said.answers}")
    expected = open_calls.pop(said.answers)
    if expected and said.text != expected:
        raise _invalid(f"the tool message for {BUILTIN} must repeat its arguments unchanged")


def _media(prompt: Prompt, sees: Sees) -> None:
    for said in prompt.messages:
        for url in (*said.images, *said.videos):
            scheme, _, rest = url.partition(":")
            if scheme == "data":
                continue
            if scheme != "ms":
                raise _invalid(f"unsupported image url: {url[:80]}")
            if not sees(rest.removeprefix("//")):
                raise _invalid(f"file not found: {url[:80]}")
        if said.files:
            raise _invalid("content type file_url is not supported")
