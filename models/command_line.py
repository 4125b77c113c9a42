"""The command line: a group that imports a command when it is called, and tells what a user got wrong in one line.

`python -m PACKAGE` offers the commands of one package, `econ-t` those of all packages.
"""

from __future__ import annotations

import inspect
import re
from collections.abc import Callable, Iterable, Iterator, Mapping
from importlib import import_module
from importlib.util import find_spec
from typing import Annotated, Any, ClassVar

import typer
from typer.core import TyperCommand, TyperGroup
from typer.main import get_command

from models import __version__
from models.errors import one_line_errors

Table = Mapping[str, tuple[str, str]]
"""Commands by name: `module:function` or `module:app` (a Typer app), and in a few words what the command does."""


_EXAMPLES = re.compile(r"\s*Examples?:\s+(econ-t .*)\Z", re.DOTALL)
_LINE = 78  # letters of a line of an example
_CHOICES = 20  # letters of choices that have room in the column of types


def split_examples(text: str) -> tuple[str, tuple[str, ...]]:
    """The text of a help without the commands at its end behind `Example:`, and each of these on one line.

    A blank line separates two of them.
    """
    found = _EXAMPLES.search(text)
    if not found:
        return text, ()
    return text[: found.start()], tuple(" ".join(one.split()) for one in found[1].split("\n\n"))


def to_paste(command: str) -> str:
    """A command on lines that fit a terminal, all but the last with a backslash at their end."""
    lines = [""]
    for part in _parts(command):
        if lines[-1] and len(lines[-1]) + len(part) > _LINE - 3:
            lines.append("   ")
        lines[-1] += f" {part}" if lines[-1] else part
    return " \\\n".join(lines)


def _parts(command: str) -> Iterator[str]:
    """Words of a command, an option together with its value."""
    words = re.findall(r"(?:\"[^\"]*\"|'[^']*'|\S)+", command)
    for number, word in enumerate(words):
        follows = number and words[number - 1].startswith("--") and not word.startswith("--")
        if follows:
            continue
        value = words[number + 1] if number + 1 < len(words) else "--"
        yield f"{word} {value}" if word.startswith("--") and not value.startswith("--") else word


def shorten_types(params: Iterable[Any], context: Any) -> None:
    """Show the type of one value where an option takes several, none for a switch, and long choices in the text.

    In the column of types Typer breaks them inside a word.
    """
    for param in params:
        if getattr(param, "is_flag", False):
            param.metavar = ""
        elif param.param_type_name == "option" and param.metavar is None:
            choices = param.display_type_rich(ctx=context).strip("<>")
            if "|" in choices and len(choices) > _CHOICES:
                param.metavar = f"<{param.name}>"
                param.help = f"{param.help} One of {', '.join(choices.split('|'))}."
            else:
                param.metavar = f"<{_of_one(choices)}>"
        elif param.param_type_name == "argument":
            # Its metavar would stand for its name.
            param.display_type_rich = _always(f"<{_of_one(param.display_type_rich(ctx=context).strip('<>'))}>")


def _always(text: str) -> Callable[..., str]:
    return lambda **_: text


def _of_one(shown: str) -> str:
    """The type of one value, of which Typer shows that there are several, or that it has bounds."""
    many = re.match(r"list\[(.*)\]", shown)
    return many[1].lower() if many else shown.removesuffix(" range")


class _WithExamples:
    """A command whose help ends with examples that can be pasted: on one line, or with backslashes."""

    examples: tuple[str, ...] = ()

    def __init__(self, *arguments: Any, **options: Any) -> None:
        text, self.examples = split_examples(inspect.cleandoc(options.get("help") or ""))
        text = re.sub(r"(?<!\n)\n(?!\n)", " ", text)  # lines of a docstring are not those of a terminal
        super().__init__(*arguments, **options | {"help": text or None})

    def format_help(self, ctx: Any, formatter: Any) -> None:
        shorten_types(self.get_params(ctx), ctx)  # type: ignore[attr-defined]  # of the class of Typer beside this one
        super().format_help(ctx, formatter)  # type: ignore[misc]  # of the class of Typer beside this one
        if self.examples:
            typer.echo("Example:\n\n" + "".join(f"{to_paste(one)}\n\n" for one in self.examples), nl=False)


class Command(_WithExamples, TyperCommand):
    """A command with examples."""


class LazyGroup(_WithExamples, TyperGroup):
    """A group whose commands stand in `table`; a command's module is imported when it is called or asks for help.

    Errors that a user can cause, in any command, end with one line on stderr and exit status 2.
    """

    table: ClassVar[Table] = {}
    panels: ClassVar[Mapping[str, str]] = {}
    """Titles above commands in the help, by name of the command."""

    def __init__(self, **options: Any) -> None:
        # For the list of commands and for suggestions: names and descriptions, without the modules behind them.
        described = {name: TyperCommand(name, help=text, rich_help_panel=self.panels.get(name))
                     for name, (_, text) in self.table.items()}
        super().__init__(**options | {"commands": described})

    def resolve_command(self, ctx: Any, args: list[str]) -> tuple[str | None, Any, list[str]]:
        """The command that `args` call, imported, and its own arguments."""
        name, command, rest = super().resolve_command(ctx, args)
        return name, self.load(name) if name else command, rest

    def load(self, name: str) -> Any:
        """The command of this name, with its options; imports its module."""
        module, _, attribute = self.table[name][0].partition(":")
        found = getattr(import_module(module), attribute)
        if not isinstance(found, typer.Typer):
            app = typer.Typer(add_completion=False)
            app.command(cls=Command)(found)
            found = app
        command = get_command(found)
        command.name = name
        return command

    def invoke(self, ctx: Any) -> Any:
        """Run the command that was called."""
        with one_line_errors():
            return super().invoke(ctx)


def lazy_app(
    help: str | None, table: Table, *, options: Callable[..., None] = lambda: None, runs: bool = False,
    panels: Mapping[str, str] | None = None, completion: bool = False,
) -> typer.Typer:
    """A Typer app of these commands; `options` takes those of the group, and `runs` if no command is named."""
    group = type("Group", (LazyGroup,), {"table": table, "panels": panels or {}})
    app = typer.Typer(cls=group, help=help, add_completion=completion, pretty_exceptions_enable=False,
                      no_args_is_help=True, invoke_without_command=runs)
    app.callback()(options)
    return app


def with_old_names(names: Mapping[str, str]) -> type[Command]:
    """A class of commands that also take options by these older names, each given with the one that it has now."""

    class WithOldNames(Command):
        def parse_args(self, ctx: Any, args: list[str]) -> list[str]:
            split = [arg.partition("=") for arg in args]
            return super().parse_args(ctx, [names.get(name, name) + equals + value for name, equals, value in split])

    return WithOldNames


_FRONT = (
    ("Train", "training", "train data networks emd-loss weights"),
    ("Physics performance", "training", "evaluate compare show trigger report"),
    ("Studies", "training", "pareto limits seu hybrid search flops size distill audit export"),
    ("The chip", "emulator", "encode chip"),
    ("The chip", "models", "registers import"),
    ("C++ for FPGA and ASIC", "hls", "convert convert-decoder csim synth resources=report"),
    ("Open RTL", "rtl", ""),
    ("Proof", "bitexact_tests", "check=compare matrix faults"),
)
"""What stands in `econ-t`: a title, a package, and names of its commands, `new=old` where `econ-t` has another.

Without names the package is a group of its own.
"""


def econ_t() -> typer.Typer:
    """The app of `econ-t`: the commands of all packages that are installed."""
    table: dict[str, tuple[str, str]] = {}
    panels: dict[str, str] = {}
    for title, package, names in _FRONT:
        if not find_spec(package):
            continue  # the proof need not be installed with the rest
        module = import_module(f"{package}.__main__")
        for name in names.split():
            new, _, old = name.partition("=")
            table[new], panels[new] = module.COMMANDS[old or new], title
        if not names:
            table[package], panels[package] = (f"{package}.__main__:app", str(module.__doc__)), title
    return lazy_app("Train the autoencoder of ECON-T, run it as the chip does, as C++ and as RTL, and check that all "
                    "agree.", table, options=_front_options, panels=panels, completion=True)


def main() -> None:
    """Run `econ-t`."""
    econ_t()(prog_name="econ-t")


def _show_version(asked: bool) -> None:
    if asked:
        typer.echo(f"econ-t {__version__}")
        raise typer.Exit


def _front_options(
    version: Annotated[bool, typer.Option("--version", callback=_show_version, is_eager=True,
                                          help="Show the version and exit.")] = False,
) -> None:
    """Options before the command."""
