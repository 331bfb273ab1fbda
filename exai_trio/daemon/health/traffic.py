"""What goes over the WebSockets of sessions. Pure."""

from collections.abc import Mapping

from exai_trio import structs

Values = Mapping[tuple[str, ...], float]


@structs.define(eq=False)
class Traffic:
    """Counted in place, since there are several messages to a call; of sizes, characters are counted for bytes."""

    received: int = 0
    sent: int = 0
    received_bytes: int = 0
    sent_bytes: int = 0

    def messages(self) -> Values:
        return {("received",): self.received, ("sent",): self.sent}

    def sizes(self) -> Values:
        return {("received",): self.received_bytes, ("sent",): self.sent_bytes}
