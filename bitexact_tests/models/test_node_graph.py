"""Frozen graphs computed in NumPy, node by node, against TensorFlow."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from models.errors import InputError

pytest.importorskip("tensorflow")
pytest.importorskip("qkeras")

import tensorflow as tf

from models.foreign.operations import OPERATIONS
from models.foreign.qkeras_node_graph import NodeGraph

RNG = np.random.default_rng(5)
X = RNG.normal(size=(3, 6, 8, 4)).astype(np.float32)
KERNEL, DEEP = (RNG.normal(size=shape).astype(np.float32) for shape in ((3, 2, 4, 5), (3, 3, 4, 2)))
RAW = tf.raw_ops

UNARY = ("Identity", "StopGradient", "Neg", "Abs", "Sign", "Round", "Rint", "Floor", "Ceil", "Exp", "Square", "Erf",
         "Relu", "Relu6", "LeakyRelu", "Elu", "Selu", "Sigmoid", "Tanh", "Softplus", "Softsign", "OnesLike",
         "ZerosLike", "Shape", "Rank", "Size", "Softmax")
POSITIVE = ("Log", "Log1p", "Sqrt", "Rsqrt")
BINARY = ("Add", "AddV2", "Sub", "Mul", "RealDiv", "Div", "DivNoNan", "FloorDiv", "FloorMod", "Maximum", "Minimum")
COMPARED = ("Greater", "GreaterEqual", "Less", "LessEqual", "Equal", "NotEqual")
REDUCED = ("Sum", "Mean", "Max", "Min", "Prod")


def _taken(name: str, **inputs: Any) -> Any:
    """An operation of one input, whatever it is called."""
    call = getattr(RAW, name)
    first = next(one for one in ("x", "input", "features", "logits") if one in call.__signature__.parameters)
    return call(**{first: inputs.pop("x")}, **inputs)


def graph_of(x: Any) -> dict[str, Any]:
    """A node of each operation, and more of those with attributes."""
    y, flat = x * 0.7 + 0.1, tf.reshape(x, (3, -1))
    found = {name: _taken(name, x=x) for name in UNARY}
    found |= {name: _taken(name, x=tf.abs(x)) for name in POSITIVE}
    found |= {name: getattr(RAW, name)(x=x, y=y) for name in (*BINARY, *COMPARED)}
    found |= {name: getattr(RAW, name)(input=x, axis=[1, 2], keep_dims=name == "Max") for name in REDUCED}
    one, other = x > 0, y > 0.2
    found |= {"LogicalAnd": tf.logical_and(one, other), "LogicalOr": tf.logical_or(one, other),
              "LogicalNot": tf.logical_not(one), "Select": RAW.Select(condition=one, x=x, y=y),
              "Select of rows": RAW.Select(condition=[True, False, True], x=x, y=y),
              "SelectV2": RAW.SelectV2(condition=one, t=x, e=y), "Cast": tf.cast(x * 5, tf.int32),
              "Pow": RAW.Pow(x=tf.abs(x), y=y), "ClipByValue": RAW.ClipByValue(t=x, clip_value_min=-0.5,
                                                                              clip_value_max=0.3)}
    found |= {"Reshape": RAW.Reshape(tensor=x, shape=[3, 24, -1]), "Squeeze": tf.squeeze(x[:, :1]),
              "ExpandDims": tf.expand_dims(x, 1), "Transpose": tf.transpose(x, (0, 3, 1, 2)),
              "Pack": tf.stack([x, y], 2), "ConcatV2": tf.concat([x, y], -1), "Fill": tf.fill([2, 3], x[0, 0, 0, 0]),
              "BroadcastTo": tf.broadcast_to(x[:1], (3, 6, 8, 4)), "Tile": tf.tile(flat, (1, 2)),
              "Range": tf.range(0, tf.shape(x)[2], 3), "GatherV2": tf.gather(flat, [3, 1, 1], axis=1),
              "StridedSlice": x[..., 1:, :-1, 2], "StridedSlice of steps": x[:, 4:0:-2, None, ::3],
              "Slice": tf.slice(x, [1, 0, 2, 0], [2, -1, 3, 1]), "ArgMax": tf.argmax(x, 3),
              "Pad": tf.pad(x, [[0, 0], [1, 2], [0, 1], [0, 0]]),
              "PadV2": RAW.PadV2(input=x, paddings=[[0, 0], [1, 0], [0, 2], [0, 0]], constant_values=0.5),
              "PlaceholderWithDefault": tf.compat.v1.placeholder_with_default(x, X.shape)}
    for padding in ("SAME", "VALID"):
        for stride in (1, 2, 3):
            strides = (1, stride, min(stride, 2), 1)
            found |= {f"Conv2D {padding} {stride}": tf.nn.conv2d(x, KERNEL, strides, padding),
                      f"DepthwiseConv2dNative {padding} {stride}": RAW.DepthwiseConv2dNative(
                          input=x, filter=DEEP, strides=(1, stride, stride, 1), padding=padding),
                      f"MaxPool {padding} {stride}": RAW.MaxPool(input=x, ksize=(1, 3, 2, 1), strides=strides,
                                                                padding=padding),
                      f"AvgPool {padding} {stride}": RAW.AvgPool(value=x, ksize=(1, 3, 2, 1), strides=strides,
                                                                padding=padding)}
            size = [side * step if padding == "SAME" else (side - 1) * step + kernel
                    for side, step, kernel in zip((6, 8), strides[1:3], (3, 2), strict=True)]
            found[f"Conv2DBackpropInput {padding} {stride}"] = RAW.Conv2DBackpropInput(
                input_sizes=[3, *size, 7], filter=RNG.normal(size=(3, 2, 7, 4)).astype(np.float32), out_backprop=x,
                strides=strides, padding=padding)
    found |= {"Conv2D explicit": tf.nn.conv2d(x, KERNEL, 2, [[0, 0], [1, 0], [2, 1], [0, 0]]),
              "Conv2D dilated": tf.nn.conv2d(x, KERNEL, 1, "SAME", dilations=2),
              "MatMul": tf.matmul(flat, RNG.normal(size=(192, 5)).astype(np.float32)),
              "MatMul transposed": tf.matmul(flat, RNG.normal(size=(5, 192)).astype(np.float32), transpose_b=True),
              "BiasAdd": tf.nn.bias_add(x, [1.0, 2.0, 3.0, 4.0])}
    mean, scale = RNG.normal(size=(2, 4)).astype(np.float32)
    for name in ("FusedBatchNorm", "FusedBatchNormV2", "FusedBatchNormV3"):
        found[name] = getattr(RAW, name)(x=x, scale=scale, offset=mean, mean=mean, variance=scale**2,
                                         is_training=False)[0]
    return found


def written(path: Path, made: Callable[[Any], dict[str, Any]]) -> tuple[dict[str, str], dict[str, Any]]:
    """A graph, the names of its nodes, and what TensorFlow makes of them."""
    with tf.Graph().as_default() as graph:
        x = tf.compat.v1.placeholder(tf.float32, (None, *X.shape[1:]), name="x")
        nodes = {name: node for name, node in made(x).items()}
        with tf.compat.v1.Session() as session:
            values = session.run(nodes, {x: X})
    path.write_bytes(graph.as_graph_def().SerializeToString())
    return {name: node.op.name for name, node in nodes.items()}, values


def cut(path: Path, node: str, output: Path) -> NodeGraph:
    """The graph up to a node."""
    definition = tf.compat.v1.GraphDef()
    definition.ParseFromString(path.read_bytes())
    output.write_bytes(tf.compat.v1.graph_util.extract_sub_graph(definition, [node]).SerializeToString())
    return NodeGraph(output, "a test", "arithmetic")


def test_every_operation_is_that_of_tensorflow(tmp_path: Path) -> None:
    names, values = written(tmp_path / "graph.pb", graph_of)
    for name, node in names.items():
        graph = cut(tmp_path / "graph.pb", node, tmp_path / "one.pb")
        found = graph.value(node, {"x": X})
        assert found.dtype.kind == values[name].dtype.kind, name
        np.testing.assert_allclose(found, values[name], rtol=2e-5, atol=2e-5, err_msg=name)
    covered = {name.partition(" ")[0] for name in names}
    assert set(OPERATIONS) - covered == {"NoOp"}


def test_a_node_that_is_not_known_is_named(tmp_path: Path) -> None:
    names, _ = written(tmp_path / "graph.pb", lambda x: {"sum": tf.cumsum(x) + 1})
    with pytest.raises(InputError, match=r"graph.pb: node Cumsum \(Cumsum\), expected arithmetic$"):
        NodeGraph(tmp_path / "graph.pb", "a test", "arithmetic")
    assert names == {"sum": "add"}


def test_a_graph_that_does_not_fit_together_is_one_line(tmp_path: Path) -> None:
    written(tmp_path / "graph.pb", lambda x: {"product": tf.matmul(tf.reshape(x, (-1, 192)), np.ones((192, 2), "f4"))})
    definition = tf.compat.v1.GraphDef()
    definition.ParseFromString((tmp_path / "graph.pb").read_bytes())
    kernel = next(node for node in definition.node if node.op == "Const" and node.name == "MatMul/b")
    kernel.attr["value"].tensor.CopyFrom(tf.make_tensor_proto(np.ones((190, 2), "f4")))
    (tmp_path / "graph.pb").write_bytes(definition.SerializeToString())
    with pytest.raises(InputError, match=r"graph.pb: not readable as a frozen graph: node MatMul \(MatMul\): matmul"):
        NodeGraph(tmp_path / "graph.pb", "a test", "arithmetic").run(X)
