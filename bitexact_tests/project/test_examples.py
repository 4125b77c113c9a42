"""Every public name has an example in its docstring, which runs in an empty folder and gives what it says."""

from __future__ import annotations

import ast
import doctest
import importlib
import re
import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest

from bitexact_tests.conftest import REPOSITORY, missing

FACES = sorted(".".join(path.parent.relative_to(REPOSITORY).parts)
               for package in ("models", "emulator", "hls", "rtl", "training")
               for path in (REPOSITORY / package).rglob("__init__.py")
               if "public_face(__name__" in path.read_text(encoding="utf-8"))
"""Packages with public names."""
SLOW = {
    "hls.conversion.convert": "", "hls.csim.run_csim": "g++", "rtl.mapping.proofs.prove": "",
    "rtl.mapping.synthesis.synthesise": "", "rtl.simulation.simulate.Simulation": "perl", "training.fit": "",
    "training.losses": "", "training.networks": "", "training.physics.evaluation": "",
    "training.physics.schemes.load_autoencoder": "", "training.report": ""}
"""Beginnings of names whose examples start TensorFlow, Yosys, Verilator or g++, and a program that must be there."""
LIGHT = ("training.fit.run.Run", "training.fit.compare", "training.networks.catalogue")
"""Exceptions."""


def defined(face: str) -> Iterator[tuple[str, str]]:
    """Module and name of everything that a package makes public."""
    source = (REPOSITORY / face.replace(".", "/") / "__init__.py").read_text(encoding="utf-8")
    for branch in ast.parse(source).body:
        if isinstance(branch, ast.If):
            for node in branch.body:
                if isinstance(node, ast.ImportFrom):
                    yield from ((str(node.module), alias.name) for alias in node.names)


def docstring(source: str, name: str) -> str:
    """Docstring of a class, a function or a constant (the string behind it) of a module."""
    body = ast.parse(source).body
    for node, after in zip(body, [*body[1:], None], strict=True):
        if isinstance(node, ast.ClassDef | ast.FunctionDef) and node.name == name:
            return ast.get_docstring(node) or ""
        targets = node.targets if isinstance(node, ast.Assign) else [getattr(node, "target", None)]
        if any(isinstance(one, ast.Name) and one.id == name for one in targets):
            return ast.get_docstring(ast.Module([after], [])) or "" if after else ""
    raise LookupError(name)


def example(module: str, name: str) -> doctest.DocTest:
    path = REPOSITORY / f"{module.replace('.', '/')}.py"
    text = docstring(path.read_text(encoding="utf-8"), name)
    return doctest.DocTestParser().get_doctest(text, {}, f"{module}.{name}", str(path), None)


def run(test: doctest.DocTest) -> str:
    """What is wrong with an example; empty if nothing is."""
    said: list[str] = []
    doctest.DocTestRunner(verbose=False).run(test, out=said.append)
    return "".join(said)


def needed(place: str) -> str | None:
    """The program that a slow example needs, which may be none; None if it is not slow."""
    return next((program for start, program in SLOW.items()
                 if place.startswith(start) and not place.startswith(LIGHT)), None)


NAMES = sorted({place for face in FACES for place in defined(face)})


@pytest.mark.parametrize(("module", "name"), [
    pytest.param(*place, id=".".join(place), marks=[pytest.mark.slow] if needed(".".join(place)) is not None else [])
    for place in NAMES])
def test_example_gives_what_it_says(
    module: str, name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    program = needed(f"{module}.{name}")
    if program and shutil.which(program) is None:
        missing(f"{program} not found")
    monkeypatch.chdir(tmp_path)
    assert run(example(module, name)) == ""


@pytest.mark.parametrize("face", FACES)
def test_every_public_name_has_an_example_that_uses_it(face: str) -> None:
    def used(name: str, examples: list[doctest.Example]) -> bool:
        return any(re.search(rf"\b{name}\b", one.source + one.want) for one in examples if "import" not in one.source)

    found = {name: example(module, name).examples for module, name in defined(face)}
    assert [name for name, lines in found.items() if not any(one.want for one in lines) or not used(name, lines)] == []


def test_every_public_name_stands_in_the_reference() -> None:
    pages = sorted((REPOSITORY / "docs" / "reference" / "python").glob("*.md"))
    shown = [module for page in pages
             for module in re.findall(r"^::: (\S+)$", page.read_text(encoding="utf-8"), re.MULTILINE)]
    assert {module for module, _ in NAMES} - {*shown} == set() and len(shown) == len({*shown})
    for module in shown:
        importlib.import_module(module.split(".")[0])
        assert (REPOSITORY / f"{module.replace('.', '/')}.py").is_file(), module


@pytest.mark.parametrize(("source", "found"), [
    ('def f():\n    """Return.\n\n        >>> 1 + 1\n        2\n    """\n', ""),
    ('def f():\n    """Return.\n\n        >>> 1 + 1\n        3\n    """\n', "Expected:\n    3\nGot:\n    2"),
    ('f = 1\n"""A number.\n\n    >>> int("x")\n    3\n"""\n', "ValueError")])
def test_wrong_example_is_found(source: str, found: str) -> None:
    said = run(doctest.DocTestParser().get_doctest(docstring(source, "f"), {}, "f", "f.py", 0))
    assert found in said and bool(said) == bool(found)


def test_constant_without_a_docstring_has_no_example() -> None:
    assert docstring("f = 1\ng = 2\n", "f") == docstring("f = 1", "f") == ""
