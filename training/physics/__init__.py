"""Physics performance: the EMD, metrics with errors, and the comparison of all algorithms on the same modules."""

from typing import TYPE_CHECKING

from models.lazy import public_face

if TYPE_CHECKING:
    from training.physics.comparison import compare as compare
    from training.physics.evaluation import evaluate as evaluate
    from training.physics.evaluation import evaluate_run as evaluate_run
    from training.physics.metrics import METRICS as METRICS
    from training.physics.metrics import event_metrics as event_metrics
    from training.physics.schemes import Scheme as Scheme
    from training.physics.schemes import classical_schemes as classical_schemes
    from training.physics.schemes import load_autoencoder as load_autoencoder
    from training.physics.statistics import Bootstrap as Bootstrap
    from training.physics.statistics import profile as profile
    from training.results.comparison import Options as Options

__getattr__, __dir__, __all__ = public_face(__name__, {
    "training.physics.comparison": ("compare",),
    "training.physics.evaluation": ("evaluate", "evaluate_run"),
    "training.physics.metrics": ("METRICS", "event_metrics"),
    "training.physics.schemes": ("Scheme", "classical_schemes", "load_autoencoder"),
    "training.physics.statistics": ("Bootstrap", "profile"),
    "training.results.comparison": ("Options",),
})
