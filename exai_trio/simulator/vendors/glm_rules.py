"""What GLM refuses in a chat request, and whether it will think. Pure: no trio, no clock, no I/O."""

from typing import Any

from ..chat.prompt import Prompt, Said
from ..chat.prompt_cache import prompt_tokens
from ..json_fields import a_list, a_number, a_text, an_object
from .error_bodies import Refused, glm_refusal
from .model_list import GLM_MODELS, Model

ROLES = frozenset({"system", "user", "assistant", "tool"})
TOOL_TYPES = frozenset({"function", "web_search", "retrieval"})
MAX_TOOLS = 128
USER_ID_CHARS = range(6, 129)
MAX_IMAGE = 5 * 1024 * 1024

# Fields that the service does not know. It ignores them, so does the simulator, and the request log names them.
UNKNOWN_FIELDS = frozenset(
    {
        "n",
        "presence_penalty",
        "frequency_penalty",
        "stream_options",
        "max_completion_tokens",
        "logprobs",
        "seed",
        "prompt_cache_key",
        "safety_identifier",
    }
)


def glm_model(name: str) -> Model:
    """Raises: Refused with 1211."""
    if name not in GLM_MODELS:
        raise Refused(glm_refusal("1211"))
    return GLM_MODELS[name]


def glm_thinks(prompt: Prompt) -> bool:
    model = GLM_MODELS[prompt.model]
    if model.thinking == "always":
        return True
    if model.effort and prompt.effort in {"none", "minimal"}:
        return False
    return prompt.thinking_type != "disabled"


def check_glm(prompt: Prompt) -> None:
    """Raises: Refused with the first fault."""
    if not prompt.model:
        raise Refused(glm_refusal("1213", what="model"))
    model = glm_model(prompt.model)
    for check in (_messages, _media, _numbers, _choices, _thinking, _tools):
        check(prompt, model)
    if prompt_tokens(prompt) > model.context:
        raise Refused(glm_refusal("1261"))


def _bad(message: str, code: str = "1210") -> Refused:
    return Refused(glm_refusal(code, message))


def _messages(prompt: Prompt, _model: Model) -> None:
    if any(said.role not in ROLES for said in prompt.messages):
        raise _bad("Incorrect role information", "1214")
    if not any(said.role == "user" for said in prompt.messages):
        raise _bad("messages must hold at least one user message", "1214")


def _media(prompt: Prompt, model: Model) -> None:
    for said in prompt.messages:
        if (said.images or said.videos or said.files) and not model.sees:
            raise _bad(f"{model.name} accepts text only: messages.content.type is illegal")
        if said.files and (said.images or said.videos):
            raise Refused(glm_refusal("1215", what="file_url and image_url or video_url"))
        _image_sizes(said)


def _image_sizes(said: Said) -> None:
    for image in said.images:
        _, _, data = image.partition("base64,")
        if image.startswith("data:") and len(data) * 3 // 4 > MAX_IMAGE:
            raise _bad("Image size exceeds 5MB")


_RANGES = (("temperature", 0, 1), ("top_p", 0.01, 1))


def _numbers(prompt: Prompt, model: Model) -> None:
    for name, least, most in _RANGES:
        _in_range(prompt.body, name, least, most)
    _in_range(prompt.body, "max_tokens", 1, model.output)
    user = prompt.body.get("user_id")
    if user is not None and len(a_text(user)) not in USER_ID_CHARS:
        raise _bad("user_id must have 6 to 128 characters")
    if len(a_list(prompt.body.get("stop"))) > 1:
        raise _bad("stop accepts one word only")


def _in_range(body: dict[str, Any], name: str, least: float, most: float) -> None:
    if body.get(name) is None:
        return
    value = a_number(body[name])
    if value is None or not least <= value <= most:
        raise _bad(f"{name} must be within [{least:g}, {most:g}]")


def _choices(prompt: Prompt, _model: Model) -> None:
    wanted = an_object(prompt.body.get("response_format")).get("type", "text")
    if wanted not in {"text", "json_object"}:
        raise _bad("response_format.type must be text or json_object")


def _thinking(prompt: Prompt, model: Model) -> None:
    if prompt.thinking_type not in {"", "enabled", "disabled"}:
        raise _bad("thinking.type must be enabled or disabled")
    if not prompt.effort or not model.effort or prompt.effort in model.effort:
        return
    if prompt.effort in {"none", "minimal"}:
        raise _bad(
            f"{model.name} always engages in thinking; reasoning_effort none or minimal is not supported"
        )
    raise _bad(f"reasoning_effort must be one of {', '.join(model.effort)}")


def _tools(prompt: Prompt, _model: Model) -> None:
    if len(prompt.tools) > MAX_TOOLS:
        raise _bad(f"tools must not be more than {MAX_TOOLS}")
    for place, tool in enumerate(prompt.tools):
        if tool.get("type") not in TOOL_TYPES:
            raise _bad(f"tools[{place}].type:type is illegal", "1214")
        if tool["type"] == "function" and not a_text(an_object(tool.get("function")).get("name")):
            raise _bad(f"tools[{place}].function.name is required", "1214")
