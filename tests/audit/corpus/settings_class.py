class Settings:
    host: str = ""
    port: int = 0
    forgotten: bool = False  # planted: unread-setting

    def address(self):
        return self.host, self.port


def start(settings, listen):
    listen(settings.address())
    if settings.verbose:  # planted: undeclared-setting
        listen.loudly()
    return getattr(settings, "port", 1)  # planted: two-defaults port
