import os
from pathlib import Path
from ..ovens import Oven


class Bakery(Oven):
    """Backt."""

    names: list[str]
    größe = field(0)

    def open(self):
        self.greet()
        return lambda: helper(os.getcwd())

    def greet(self):
        def inner():
            größe("ß")

        inner()


async def main():
    Bakery().open()


@cache
def helper(x): return Path(x)
main()
