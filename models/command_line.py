"""The command line: a group that imports a command when it is called, and tells what a user got wrong in one line."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from importlib import import_module
from typing import Any, ClassVar

import typer
from typer.core import TyperCommand, TyperGroup
from typer.main import get_command

from models.errors import one_line_errors

Table = Mapping[str, tuple[str, str]]
"""Commands by name: `module:function` or `module:app` (a Typer app), and in a few words what the command does."""


class LazyGroup(TyperGroup):
    """A group whose commands stand in `table`; a command's module is imported when it is called or asks for help.

    Errors that a user can cause, in any command, end with one line on stderr and exit status 2.
    """

    table: ClassVar[Table] = {}

    def __init__(self, **options: Any) -> None:
        # For the list of commands and for suggestions: names and descriptions, without the modules behind them.
        described = {name: TyperCommand(name, help=text) for name, (_, text) in self.table.items()}
        super().__init__(**options | {"commands": described})

    def resolve_command(self, ctx: Any, args: list[str]) -> tuple[str | None, Any, list[str]]:
        """The command that `args` call, imported, and its own arguments."""
        name, command, rest = super().resolve_command(ctx, args)
        return name, self.load(name) if name else command, rest

    def load(self, name: str) -> Any:
        """The command of this name, with its options; imports its module."""
        command = load(self.table[name][0])
        command.name = name
        return command

    def invoke(self, ctx: Any) -> Any:
        """Run the command that was called."""
        with one_line_errors():
            return super().invoke(ctx)


def load(target: str) -> Any:
    """The command `module:function` or the group `module:app`."""
    module, _, attribute = target.partition(":")
    found = getattr(import_module(module), attribute)
    if not isinstance(found, typer.Typer):
        app = typer.Typer(add_completion=False)
        app.command()(found)
        found = app
    return get_command(found)


def lazy_app(help: str | None, table: Table, run: Callable[..., None] | None = None) -> typer.Typer:
    """A Typer app of these commands; `run` takes the group's own options, and the call if no command is named."""
    group = type("Group", (LazyGroup,), {"table": table})
    app = typer.Typer(cls=group, help=help, add_completion=False, pretty_exceptions_enable=False,
                      no_args_is_help=True, invoke_without_command=run is not None)
    app.callback()(run or _no_options)
    return app


def _no_options() -> None:
    """A group that has commands alone."""
