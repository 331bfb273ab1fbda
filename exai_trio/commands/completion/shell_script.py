"""`exai completion`: the lines that a shell reads to complete exai's commands."""

from typing import Final

from argcomplete.shell_integration import shellcode

from exai_trio.commands.console import Console
from exai_trio.commands.invocation import Started

_HOW: Final = {
    "bash": 'exai: in ~/.bashrc: eval "$(exai completion bash)"',
    "zsh": 'exai: in ~/.zshrc, after compinit: eval "$(exai completion zsh)"',
    "fish": "exai: exai completion fish > ~/.config/fish/completions/exai.fish",
}


def main(started: Started) -> int:
    """The script on stdout; where it belongs, for who sees it pass by."""
    console, shell = Console.of_process(started.environ), started.arguments.shell
    console.say(shellcode(["exai"], shell=shell))
    if console.screen and console.live:
        console.hint(_HOW[shell])
    return 0
