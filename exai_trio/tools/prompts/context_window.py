"""How much a model takes, and how it counts: what every budget of a prompt is reckoned by. Pure."""

from collections.abc import Iterable, Mapping, Sequence

from exai_trio import structs
from exai_trio.errors import PromptTooLongError
from exai_trio.providers.base import Message
from exai_trio.workspace import token_budget
from exai_trio.workspace.read import Reading

# Of each estimated token, until the model's own counts are known: what is too long even so need not be sent to find out.
_AT_LEAST = 0.75
_UNKNOWN = 1.0  # as a factor
_IMAGE_TOKENS = 1_500
# The share of a context that stays free for thinking and the answer.
ANSWER_SHARE = 0.2


def whole_size(*, texts: int, files: int, images: int) -> int:
    """Estimated tokens that a model must hold so that nothing is left out: files may take a share of its window only."""
    fully = texts + files + images * _IMAGE_TOKENS
    return max(fully, int(files / token_budget.FILES_SHARE * (1 - ANSWER_SHARE)))


@structs.frozen(kw_only=True)
class Room:
    """`context_window` is in the model's own tokens, None if unknown; `factor` is how many of those each estimated one is.

    `takes_thinking`: its earlier reasoning goes back to it, and so takes room.
    """

    context_window: int | None = None
    factor: float = 1.0
    takes_thinking: bool = True

    def fit(
        self, readings: Mapping[str, Reading], messages: Iterable[Sequence[str]]
    ) -> dict[str, Reading]:
        """All readings; those that do not fit a message that names them have a reason for a text."""
        tokens = int(token_budget.room_for_files(self.context_window) / self.factor)
        return token_budget.fit(readings, messages, tokens)

    def estimate(self, messages: Iterable[Message]) -> int:
        """Estimated tokens: on the safe side until the model's own counts are known."""
        return sum(self._of(message) for message in messages)

    def _of(self, message: Message) -> int:
        thinking = token_budget.text_tokens(message.reasoning) if self.takes_thinking else 0
        return (
            token_budget.text_tokens(message.text) + thinking + len(message.images) * _IMAGE_TOKENS
        )

    def counted(self, estimated: int) -> int:
        """As the model counts."""
        return int(estimated * self.factor)

    def holds(self, messages: Iterable[Message]) -> bool:
        """Whether there is room for an answer too."""
        if self.context_window is None:
            return True
        return self.counted(self.estimate(messages)) <= self.context_window * (1 - ANSWER_SHARE)

    def check_possible(self, messages: Iterable[Message], answering: str) -> None:
        """Raises: PromptTooLongError if this does not fit, even with no room for an answer."""
        window = self.context_window
        tokens = self.estimate(messages)
        surely = tokens * (_AT_LEAST if self.factor == _UNKNOWN else self.factor)
        if window is not None and surely > window:
            raise PromptTooLongError(
                f"The question and its files have about {self.counted(tokens):,} tokens; {answering} holds {window:,} tokens."
                " Name fewer or smaller files, or a model with a larger context.",
                details={"tokens": tokens, "context_window": window},
            )
