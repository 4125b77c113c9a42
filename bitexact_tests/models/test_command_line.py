"""The command line: what is imported when, and what a user sees of an error."""

from __future__ import annotations

import importlib
import inspect
import os
import re
import subprocess
import sys
from collections.abc import Iterator
from enum import Enum
from pathlib import Path
from typing import Annotated, Any, Literal, get_args, get_origin, get_type_hints

import pytest
import typer
from typer.main import get_command
from typer.testing import CliRunner

import models
from bitexact_tests.conftest import REPOSITORY
from models.command_line import LazyGroup, econ_t, lazy_app, to_paste, with_old_names

PACKAGES = ("models", "emulator", "hls", "rtl", "training", "bitexact_tests")


def commands(group: LazyGroup) -> Iterator[tuple[str, str, Any]]:
    """Name, target and command of everything in a group and the groups in it, imported."""
    for name, (target, _) in group.table.items():
        command = group.load(name)
        yield name, target, command
        if isinstance(command, LazyGroup):
            yield from commands(command)


@pytest.mark.parametrize("package", PACKAGES)
def test_every_command_of_a_package_is_in_a_file_of_its_name_and_says_what_it_does(package: str) -> None:
    group = get_command(importlib.import_module(f"{package}.__main__").app)
    assert isinstance(group, LazyGroup)
    for name, target, command in commands(group):
        module = target.partition(":")[0].split(".")
        # The import proves itself with the emulator, on which the models must not stand; encode knows links of modules.
        home = {("models", "import"): "emulator", ("emulator", "encode"): "training"}.get((package, name), package)
        assert module[:2] == [home, "commands"] and module[-1] in (name.replace("-", "_"), f"{name}_keras")
        assert command.help and command.callback, name


def test_every_command_of_every_package_is_in_econ_t() -> None:
    group = get_command(econ_t())
    assert isinstance(group, LazyGroup)
    front = {target for _, target, _ in commands(group)}
    tables = [importlib.import_module(f"{package}.__main__").COMMANDS for package in PACKAGES]
    assert {target for table in tables for target, _ in table.values()} <= front


def paths(group: LazyGroup, name: str) -> Iterator[tuple[str, Any]]:
    """Words and command of everything in a group and in the groups in it."""
    for word in group.table:
        command = group.load(word)
        yield f"{name} {word}", command
        if isinstance(command, LazyGroup):
            yield from paths(command, f"{name} {word}")


def pasted(shown: str) -> list[list[str]]:
    """The words of each command when what stands behind `Example:` in a help is pasted into a shell."""
    lines = shown.partition("Example:\n")[2]
    script = f"econ-t() {{ printf '%s\\n' econ-t \"$@\" ''; }}\n{lines}"
    done = subprocess.run(["bash", "-euc", script], capture_output=True, text=True, check=True)
    return [one.split("\n") for one in done.stdout.strip().split("\n\n")]


@pytest.fixture(scope="module")
def helps() -> list[tuple[str, Any, str]]:
    """Words and command of everything, and its help in 80 columns."""
    front = get_command(econ_t())
    assert isinstance(front, LazyGroup)
    runner = CliRunner(env={"COLUMNS": "80", "TERMINAL_WIDTH": "80"})
    return [(name, command, runner.invoke(econ_t(), [*name.split()[1:], "--help"]).output)
            for name, command in paths(front, "econ-t")]


def choices(annotation: Any) -> list[str]:
    """What an option of this type takes, if that is a few words."""
    if isinstance(annotation, type) and issubclass(annotation, Enum):
        return [str(one.value) for one in annotation]
    found = get_args(annotation)
    return [*map(str, found)] if get_origin(annotation) is Literal else [word for one in found for word in choices(one)]


def test_no_help_breaks_a_name_or_a_choice(helps: list[tuple[str, Any, str]]) -> None:
    seen = set()
    for name, command, shown in helps:
        words = {*re.split(r"[\s│<>|,.]+", shown)}
        missing = {option for param in command.params for option in (*param.opts, *param.secondary_opts)
                   if option.startswith("-")} - words
        typed = get_type_hints(inspect.unwrap(command.callback)).values() if command.callback else ()
        taken = {choice for annotation in typed for choice in choices(annotation)}
        assert missing | (taken - words) == set(), name
        assert not re.search(r"│.*<(list\[|bool|[A-Z])", shown), f"{name} shows types of Python"
        seen |= taken
    assert {"p1-nested", "xcup", "pile-up", "floor"} <= seen
    (folders,) = (shown for name, _, shown in helps if name == "econ-t chip verify")
    assert re.search(r"folders\.\.\. +<path>  Vector sets", folders)


def test_the_reference_on_the_site_shows_what_the_help_does(monkeypatch: pytest.MonkeyPatch) -> None:
    pytest.importorskip("markdown")
    monkeypatch.syspath_prepend(REPOSITORY / "docs")
    rows = [line for line in importlib.import_module("command_reference").commands() if line.startswith("| `")]
    shown = [line.split("`")[1] for line in rows]
    assert {"folders... <path>", "--input <str>", "--force", "--technology <technology>"} <= {*shown}
    assert [one for one in shown if re.search(r"[\[\\]|<(bool|[A-Z])", one)] == []
    assert any(line.endswith(r"\[required] |") for line in rows), "a bracket in a text is no link"


def test_every_example_can_be_pasted_and_is_a_command(helps: list[tuple[str, Any, str]]) -> None:
    """From a help of 80 columns, through a shell, into the options of the command."""
    for name, command, shown in helps:
        if "Example:" not in shown:
            assert isinstance(command, LazyGroup), f"{name} has no example"
            continue
        assert max(map(len, shown.partition("Example:")[2].splitlines())) <= 80, name
        for words in pasted(shown):
            assert " ".join(words).startswith(name), name
            context = command.make_context(name, words[len(name.split()) :])  # no option is missing or unknown
            assert context.params or not command.params, name


@pytest.mark.parametrize(("command", "lines"), [
    ("econ-t train", ["econ-t train"]),
    ("econ-t evaluate --weights " + "w" * 30 + " --input " + "i" * 30 + " --rtl",
     ["econ-t evaluate --weights " + "w" * 30 + " \\", "    --input " + "i" * 30 + " --rtl"]),
    ('econ-t rtl formal --only "mask of 16 bits"', ['econ-t rtl formal --only "mask of 16 bits"']),
    ("econ-t size --run 'my " + "r" * 56 + " run' --csv a.csv",
     ["econ-t size \\", "    --run 'my " + "r" * 56 + " run' \\", "    --csv a.csv"]),
])
def test_an_option_stays_with_its_value(command: str, lines: list[str]) -> None:
    assert to_paste(command).splitlines() == lines


def run_main(module: str, *arguments: str) -> subprocess.CompletedProcess[str]:
    """What a command of this checkout writes; ends with 9 if it imports NumPy, the lightest of what commands need."""
    start = ("from models.command_line import main; main()" if module == "econ-t" else
             f"import runpy; runpy.run_module('{module}', run_name='__main__')")
    code = (f"import sys\nsys.argv = ['{module}', *{list(arguments)!r}]\ntry:\n    {start}\n"
            "except SystemExit as end:\n    sys.exit(end.code or ('numpy' in sys.modules) * 9)\n")
    return subprocess.run([sys.executable, "-c", code], cwd=REPOSITORY, capture_output=True, text=True, check=False)


@pytest.mark.parametrize("name", ["econ-t", *PACKAGES])
def test_help_of_a_group_imports_no_command(name: str) -> None:
    done = run_main(name, "--help")
    assert done.returncode == 0, done.stdout + done.stderr
    assert "COMMAND [ARGS]" in done.stdout


def test_econ_t_says_its_version() -> None:
    done = run_main("econ-t", "--version")
    assert (done.returncode, done.stdout) == (0, f"econ-t {models.__version__}\n")


def test_shell_completes_names_of_commands() -> None:
    environment = os.environ | {"_ECON_T_COMPLETE": "complete_bash", "COMP_WORDS": "econ-t rtl s", "COMP_CWORD": "2"}
    done = subprocess.run([sys.executable, "-c", "from models.command_line import main; main()"], env=environment,
                          cwd=REPOSITORY, capture_output=True, text=True, check=True)
    assert done.stdout.split() == ["sim", "synth"]


MODULE = """
from models.errors import InputError, ToolMissing

def run(problem: str) -> None:
    \"\"\"Raise what is asked for.\"\"\"
    raise {"input": InputError("a.csv:3: 'x'"), "tool": ToolMissing("g++ is missing"), "bug": ZeroDivisionError(),
           "file": FileNotFoundError(2, "No such file", "b.csv")}[problem]
"""


@pytest.mark.parametrize(("problem", "line"), [
    ("input", "error: a.csv:3: 'x'\n"), ("tool", "error: g++ is missing\n"), ("file", "error: b.csv: No such file\n")],
    ids=["input", "tool", "file"])
def test_errors_of_a_user_are_one_line(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, problem: str, line: str
) -> None:
    (tmp_path / "command_of_a_test.py").write_text(MODULE)
    monkeypatch.syspath_prepend(tmp_path)
    inner = lazy_app("Inner.", {"run": ("command_of_a_test:run", "Raise.")})
    monkeypatch.setattr(sys.modules[__name__], "inner", inner, raising=False)
    for app, arguments in ((inner, ["run"]), (lazy_app("Outer.", {"in": (f"{__name__}:inner", "Raise.")}),
                                              ["in", "run"])):
        result = CliRunner().invoke(app, [*arguments, problem])
        assert (result.exit_code, result.stderr) == (2, line)
        assert isinstance(CliRunner().invoke(app, [*arguments, "bug"]).exception, ZeroDivisionError)


def test_a_command_whose_package_is_not_installed_says_how_to_get_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "command_that_needs_more.py").write_text("import package_that_nobody_has\n")
    monkeypatch.syspath_prepend(tmp_path)
    app = lazy_app("A group.", {"run": ("command_that_needs_more:run", "Needs more.")})
    assert "Needs more." in CliRunner().invoke(app, ["--help"]).stdout
    result = CliRunner().invoke(app, ["run"])
    assert result.exit_code == 2
    assert result.stderr == ("error: package package_that_nobody_has is not installed: "
                             "pip install '.[training,data,rtl,search]'\n")


def test_a_name_that_is_not_known_gets_a_suggestion() -> None:
    app = lazy_app("A group.", {"report": ("nowhere:report", "Report."), "train": ("nowhere:train", "Train.")})
    result = CliRunner().invoke(app, ["reprot"])
    assert result.exit_code == 2 and "Did you mean 'report'?" in result.stderr


def test_older_names_of_options_stand_for_the_new_ones() -> None:
    app = typer.Typer()

    @app.command(cls=with_old_names({"--output": "--json"}))
    def run(json_: Annotated[str, typer.Option("--json")]) -> None:
        typer.echo(json_)

    for arguments in (["--json", "a"], ["--output", "a"], ["--output=a"]):
        assert CliRunner().invoke(app, arguments).stdout == "a\n"
    assert "--output" not in CliRunner().invoke(app, ["--help"]).stdout
