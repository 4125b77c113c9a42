"""Networks: encoders for training, the catalogue of other networks, decoders, exported graphs."""

from typing import TYPE_CHECKING

from models.lazy import public_face

if TYPE_CHECKING:
    from training.networks.catalogue import NETWORKS as NETWORKS
    from training.networks.catalogue import Network as Network
    from training.networks.catalogue import configure as configure
    from training.networks.decoder import build_decoder as build_decoder
    from training.networks.decoder import save_decoder as save_decoder
    from training.networks.decoding import decode as decode
    from training.networks.decoding import load_decoder as load_decoder
    from training.networks.graphs import export_graphs as export_graphs
    from training.networks.keras_encoder import training_encoder as training_encoder

__getattr__, __dir__, __all__ = public_face(__name__, {
    "training.networks.catalogue": ("NETWORKS", "Network", "configure"),
    "training.networks.decoder": ("build_decoder", "save_decoder"),
    "training.networks.decoding": ("decode", "load_decoder"),
    "training.networks.graphs": ("export_graphs",),
    "training.networks.keras_encoder": ("training_encoder",),
})
