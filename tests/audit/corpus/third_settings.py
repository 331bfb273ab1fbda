import attrs


@attrs.frozen
class Config:
    bind: str = ""
    grace_s: float = 5.0  # planted: duration
    colour: bool = False  # planted: unread-setting


def build(config, serve):
    serve(config.bind, config.grace_s)
    serve(config.hostname)  # planted: undeclared-setting
    return getattr(config, "grace_s", 2.0)  # planted: two-defaults duration
