"""Command `weights make`: train all recipes and ship them."""

from __future__ import annotations

from typing import Annotated

import typer

from models import shipped
from models.errors import InputError, nearest
from training.commands.console import emd_progress
from training.commands.weights.options import Published, Sparse
from training.fit.recipes import OUTPUT, train_recipes, with_starts
from training.fit.run import Run


def make(
    names: Annotated[list[str] | None, typer.Argument(help="Names of recipes; default: all.")] = None,
    jobs: Annotated[int, typer.Option(min=1, help="Number of trainings at a time, on one core each.")] = 2,
    retrain: Annotated[bool, typer.Option("--retrain", help="Train again even what is finished, or of another "
                                                            "recipe.")] = False,
    published: Published = None,
    sparse: Sparse = None,
) -> None:
    """Train the recipes into runs/weights and ship them into models/trained; continues where it was interrupted.

    Recipes that a named one starts from are trained too, but not shipped.

    Example: econ-t weights make --published ../shared/data/CALQ_output.csv
    """
    recipes = {path.stem: path for path in sorted(shipped.RECIPES.glob("*.yaml"))}
    unknown = next((name for name in names or () if name not in recipes), None)
    if unknown:
        raise InputError(f"{unknown}: no recipe of this name; expected one of {', '.join(recipes)}"
                         + nearest(unknown, recipes))
    for file in (published, sparse):
        if file and not file.exists():
            raise InputError(f"{file}: no such file; hours of training would end here")
    from training.fit.ship import is_up_to_date, ship  # noqa: PLC0415  (starts TensorFlow, which --help does without)

    chosen = names or list(recipes)
    train_recipes(with_starts(chosen, recipes), jobs, lambda line: typer.echo(line, err=True), retrain)
    for name in chosen:
        run = Run(OUTPUT / name, new=True)
        if is_up_to_date(run, published, sparse):
            typer.echo(f"{name}: shipped already", err=True)
        else:
            card = ship(run, published, sparse, emd_progress)
            typer.echo(f"{name}: shipped with weights {card.weights}", err=True)
