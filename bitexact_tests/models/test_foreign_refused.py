"""Files without an encoder, and hostile ones: one line, and nothing in them is run."""

from __future__ import annotations

import json
import zipfile
from pathlib import Path

import h5py
import numpy as np
import pytest

from bitexact_tests.samples.foreign import SPEC
from models.errors import InputError
from models.keras_file import import_encoder

HOSTILE = {
    "no model": ({"class_name": "Mine", "config": {"name": "x"}}, "class Mine has no list of layers"),
    "no encoder": ({"class_name": "Sequential", "config": {"layers": []}}, "no dense layer behind an image"),
    "circle": ({"class_name": "Functional", "config": {"layers": [
        {"class_name": "Dense", "name": "a", "config": {"units": 16}, "inbound_nodes": [[["b", 0, 0, {}]]]},
        {"class_name": "Dense", "name": "b", "config": {"units": 16}, "inbound_nodes": [[["a", 0, 0, {}]]]}]}},
               "circle"),
    "code": ({"class_name": "Sequential", "config": {"layers": [
        {"class_name": "Conv2D", "config": {"name": "c", "activation": "__import__('os').system('touch owned')"}},
        {"class_name": "Dense", "config": {"name": "d", "units": 16}}]}}, "layer c"),
    "not a model": ([1, 2], "list has no list of layers"),
}


@pytest.mark.parametrize("name", HOSTILE)
def test_hostile_architectures_are_one_line(tmp_path: Path, name: str) -> None:
    model, message = HOSTILE[name]
    with h5py.File(tmp_path / "encoder.h5", "w") as file:
        file.attrs["model_config"] = json.dumps(model)
        file["model_weights/c/kernel"], file["model_weights/d/kernel"] = np.zeros((3, 3, 1, 8)), np.zeros((128, 16))
    with pytest.raises(InputError, match=message) as error:
        import_encoder(tmp_path / "encoder.h5", SPEC)
    assert "\n" not in str(error.value) and not Path("owned").exists()


def test_graphs_that_do_more_than_arithmetic_are_refused(tmp_path: Path) -> None:
    import tensorflow as tf

    with tf.Graph().as_default() as graph:
        image = tf.compat.v1.placeholder(tf.float32, (1, 8, 8, 1))
        tf.identity(image + tf.strings.to_number(tf.io.read_file("/etc/hostname")))
    (tmp_path / "encoder.pb").write_bytes(graph.as_graph_def().SerializeToString())
    with pytest.raises(InputError, match=r"encoder.pb: node .* \((ReadFile|StringToNumber)\), expected arithmetic"):
        import_encoder(tmp_path / "encoder.pb", SPEC)
    (tmp_path / "encoder.pb").write_bytes(b"no graph")
    with pytest.raises(InputError, match=r"encoder.pb: not readable as a frozen graph"):
        import_encoder(tmp_path / "encoder.pb", SPEC)


def test_places_without_an_encoder_are_one_line(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError) as missing:
        import_encoder(tmp_path / "none.h5", SPEC)
    assert missing.value.filename == str(tmp_path / "none.h5") and missing.value.strerror == "No such file or directory"
    with pytest.raises(InputError, match="a folder without saved_model"):
        import_encoder(tmp_path, SPEC)
    for name, content in (("encoder.keras", b"x"), ("encoder.onnx", b"x"), ("encoder.h5", b"")):
        (tmp_path / name).write_bytes(content)
        with pytest.raises(InputError, match=f"{name}: .*expected a Keras model"):
            import_encoder(tmp_path / name, SPEC)
    with zipfile.ZipFile(tmp_path / "encoder.keras", "w") as archive:
        archive.writestr("weights.npz", b"x")
    with pytest.raises(InputError, match=r"encoder.keras: a zip archive without config.json"):
        import_encoder(tmp_path / "encoder.keras", SPEC)
    (tmp_path / "encoder.json").write_text("{}")
    with pytest.raises(InputError, match="holds an architecture without weights; expected the weights"):
        import_encoder(tmp_path / "encoder.json", SPEC)
