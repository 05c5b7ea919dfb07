"""``modelwright completion SHELL``."""

from __future__ import annotations

import click

from modelwright.cli.terminal import Terminal
from modelwright.cli.verb import verb

_HOW = {
    "bash": "modelwright completion bash > ~/.local/share/bash-completion/completions/modelwright",
    "zsh": "modelwright completion zsh > ~/.zfunc/_modelwright  (with ~/.zfunc in fpath before compinit)",
    "fish": "modelwright completion fish > ~/.config/fish/completions/modelwright.fish",
}


@verb(
    "completion",
    examples=[
        (_HOW["bash"], "for every new bash"),
        ('eval "$(modelwright completion bash)"', "for this bash only"),
        (_HOW["fish"], ""),
    ],
    as_json=False,
)
@click.argument("shell", type=click.Choice(list(_HOW)))
def command(terminal: Terminal, shell: str) -> None:
    """Print the completion script of a shell.

    SHELL is bash, zsh or fish.
    """
    from click.shell_completion import get_completion_class

    from modelwright.cli.main import program

    kind = get_completion_class(shell)
    if kind is None:  # pragma: no cover - click knows the three shells of the choice
        raise click.UsageError(f"No completion for {shell}.")
    script = kind(program, {}, "modelwright", "_MODELWRIGHT_COMPLETE").source()
    first, _, rest = script.partition("\n")
    how = f"# To keep it: {_HOW[shell]}"
    # zsh wants its #compdef line first
    terminal.print(f"{first}\n{how}\n{rest}" if first.startswith("#compdef") else f"{how}\n{script}")
