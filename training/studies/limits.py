"""What limits the EMD: trainings that differ in bits, latents, refinements or modules alone.

All have equally many steps and the test modules of the configuration. A folder holds one run per training, so that an
interrupted study continues and a finished one is not repeated.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

from models.chip import LATENT_BITS
from models.config import Config
from training.data.dataset import Dataset
from training.fit.run import Run
from training.physics.evaluation import evaluate, shown
from training.results.limits import Curve, LimitPoint, Limits

LINKS = (2, 3, 4, 5)
LATENTS = (8, 16, 24, 32)
REFINEMENTS = (0, 2, 5, 8)
PARTS = (64, 16, 4)
"""One of this many training modules is left; each is seen as many times more often."""

RESULT_FILE = "limits.json"
CHOOSING = 2000  # modules that choose the best epoch of a training on few, and as many that it tests on


@dataclass(frozen=True)
class Variant:
    """A training of a study, at one value of a curve."""

    curve: Curve
    value: int
    config: Config
    own: bool = False

    @property
    def folder(self) -> str:
        """Name of the folder of its run."""
        return f"{'own' if self.own else f'{self.curve}_{self.value}'}_s{self.config.training.seed}"


def variants(config: Config, n_rows: int) -> list[Variant]:
    """Trainings of one seed; `n_rows`: modules that the configuration trains on.

    The number of modules is varied only if they are generated: other ones are then drawn, with another seed, so that
    none is among the test modules of the configuration.
    """
    spec, training = config.encoder, config.training
    found = [Variant("bits", LATENT_BITS[links], config.evolve(encoder=spec.evolve(n_elinks=links)))
             for links in LINKS if LATENT_BITS[links] != spec.latent_bits]
    found += [Variant("latents", n, config.evolve(encoder=spec.evolve(dense={"outputs": n})))
              for n in LATENTS if n != spec.dense.outputs]
    found += [Variant("refinements", k, config.evolve(training={"decoder": {"refinements": k}}))
              for k in REFINEMENTS if k != training.decoder.refinements]
    for part in PARTS if not config.data.files else ():
        rows = max(n_rows // part, 1)
        n = rows + 2 * CHOOSING
        found.append(Variant("modules", rows, config.evolve(
            data={"n_modules": n, "seed": config.data.seed + 1},
            training={"passes": part * training.passes, "validation_fraction": CHOOSING / n,
                      "test_fraction": CHOOSING / n})))
    own: dict[Curve, int] = {"bits": spec.latent_bits, "latents": spec.dense.outputs,
                             "refinements": training.decoder.refinements, "modules": n_rows}
    varied = {one.curve for one in found}
    return [*(Variant(curve, value, config, own=True) for curve, value in own.items() if curve in varied), *found]


def run_limits(
    config: Config, output: Path, seeds: Sequence[int] = (1,), report: Callable[[str], None] = lambda _text: None
) -> Limits:
    """Train all variants with each seed, and write `limits.json` after each.

    `report` is called with one line per training. Stages of the configuration are left out, and no training stops
    early. Raises InputError before any work if the modules of the configuration cannot be read.
    """
    from training.fit.train import train  # noqa: PLC0415  (starts TensorFlow)

    config = config.evolve(training={"stages": (), "patience": config.training.epochs})
    dataset = Dataset.from_config(config)
    n_rows, test = len(dataset.train.calq), dataset.test
    steps = config.training.epochs * config.training.passes * n_rows // config.training.batch_size
    points: list[LimitPoint] = []
    for seed in seeds:
        for one in variants(config.evolve(training={"seed": seed}), n_rows):
            train(one.config, output / one.folder)
            run = Run(output / one.folder, new=True)
            metrics = evaluate(run.weights, run.decoder, test.calq)
            points.append(LimitPoint(curve=one.curve, value=one.value, own=one.own, seed=seed,
                                     emd_mean=metrics.emd_mean, emd_error=metrics.emd_error,
                                     n_modules=metrics.n_selected))
            found = Limits(config=config.name, steps=steps, test=test.source, points=tuple(points))
            found.save(output / RESULT_FILE)
            report(f"{one.curve} {one.value}, seed {seed}: mean EMD {shown(metrics.emd_mean)}")
    return found
