"""Pickles of arrays: read without running anything that they name."""

from __future__ import annotations

import pickle
import random
from collections import OrderedDict
from contextlib import suppress
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from models.errors import InputError
from models.foreign.pickled import read_pickle
from models.keras_file import import_encoder
from models.spec import EncoderSpec
from models.weights import EncoderWeights

SPEC = EncoderSpec.chip(5)
WEIGHTS = EncoderWeights.random(SPEC, 3)


def layers(kind: Any = np.float32) -> dict[str, Any]:
    """As `model_save_quantized_weights` of QKeras returns them."""
    values = {name: value.astype(kind) for name, value in WEIGHTS.values().items()}
    return {"conv2d_0_m": {"weights": [values["conv_kernel"], values["conv_bias"]], "enable_bn_fusing": False},
            "encoded_vector": OrderedDict(weights=[np.asfortranarray(values["dense_kernel"]), values["dense_bias"]],
                                          sizes=(128, np.float64(16.0), None, True, "x", 2.5, 1 << 70)),
            "decoder_dense": {"weights": [values["dense_kernel"].copy()]}}


@pytest.mark.parametrize("protocol", range(6))
@pytest.mark.parametrize("kind", ["<f4", ">f8", "<f2"])
def test_an_encoder_in_a_pickle(protocol: int, kind: str, tmp_path: Path) -> None:
    path = tmp_path / "weights.pkl"
    path.write_bytes(pickle.dumps(layers(kind), protocol))
    imported = import_encoder(path, SPEC)
    np.testing.assert_array_equal(imported.weights.flat, WEIGHTS.flat)
    assert [row.source for row in imported.arrays] == [
        "conv2d_0_m/weights/0", "conv2d_0_m/weights/1", "encoded_vector/weights/0", "encoded_vector/weights/1"]


def test_arrays_are_those_that_pickle_reads(tmp_path: Path) -> None:
    rng = np.random.default_rng(1)
    content = [rng.normal(size=(3, 4)), {"a": rng.integers(-9, 9, (2, 3, 5)).astype(">i2"), 7: (np.zeros((0, 3)),)}]
    content += [content[0], np.array(3.5), rng.normal(size=(40, 30)).T]
    for protocol in range(6):
        (tmp_path / "x.pkl").write_bytes(pickle.dumps(content, protocol))
        found = read_pickle(tmp_path / "x.pkl")
        assert list(found) == ["0", "1/a", "1/7/0", "2", "3", "4"]
        for name, expected in (("0", content[0]), ("1/a", content[1]["a"]), ("2", content[0]), ("4", content[4])):
            np.testing.assert_array_equal(found[name], expected)


class Harmful:
    """Writes a file when it is read."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def __reduce__(self) -> Any:
        return open, (str(self.path), "w")


@pytest.mark.parametrize("protocol", [0, 2, 5])
def test_code_is_not_run(protocol: int, tmp_path: Path) -> None:
    for content in (Harmful(tmp_path / "owned"), {"x": [Harmful(tmp_path / "owned")]},
                    np.array([Harmful(tmp_path / "owned")], object)):
        (tmp_path / "bad.pkl").write_bytes(pickle.dumps(content, protocol))
        with pytest.raises(InputError, match=r"bad\.pkl: (names .*open|an array of type 'O8'), expected|bad.pkl: .*O8"):
            read_pickle(tmp_path / "bad.pkl")
        assert not (tmp_path / "owned").exists()


def test_what_is_not_an_encoder_is_one_line(tmp_path: Path) -> None:
    path = tmp_path / "bad.pkl"
    for content, message in ((pickle.dumps({"a": 1}), "no array of numbers"), (b"", "not readable as a pickle"),
                             (b"no pickle", "not readable as a pickle"),
                             (b"hi\n.", "not readable as a pickle of arrays: it takes value 105 again"),
                             (pickle.dumps({"a": np.zeros(3)}), "no array of shape"),
                             (pickle.dumps({1, 2}), "instruction EMPTY_SET, expected"),
                             (pickle.dumps(Path("x")), "names pathlib")):
        path.write_bytes(content)
        with pytest.raises(InputError, match=message) as error:
            import_encoder(path, SPEC)
        assert "\n" not in str(error.value)


def test_lists_that_hold_one_another_end(tmp_path: Path) -> None:
    """Ten lists of ten times the one before would be 10^10 values."""
    content: Any = [np.zeros(2)]
    for _ in range(10):
        content = [content] * 10
    (tmp_path / "many.pkl").write_bytes(pickle.dumps(content))
    with pytest.raises(InputError, match="over 100000 values"):
        read_pickle(tmp_path / "many.pkl")
    content = []
    content.append(content)
    (tmp_path / "itself.pkl").write_bytes(pickle.dumps(content))
    with pytest.raises(InputError, match="over 100000 values"):
        read_pickle(tmp_path / "itself.pkl")


def test_damaged_files_are_refused_or_read(tmp_path: Path) -> None:
    """Cut anywhere, or with any byte another one: a result, or one line."""
    path, rng = tmp_path / "damaged.pkl", random.Random(1)
    for protocol in (0, 2, 5):
        good = pickle.dumps({"a": np.arange(6.0).reshape(2, 3), "b": [np.float32(1), "x"]}, protocol)
        for _ in range(100):
            bad = bytearray(good[: rng.randrange(len(good))] if rng.random() < 0.3 else good)
            for _ in range(rng.randrange(1, 4) if bad else 0):
                bad[rng.randrange(len(bad))] = rng.randrange(256)
            path.write_bytes(bytes(bad))
            with suppress(InputError):
                read_pickle(path)
