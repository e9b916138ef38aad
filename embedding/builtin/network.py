"""The picture tower as one OpenVINO graph: pixels -> pooled features -> (head.py) a unit vector among texts.

EfficientNet-lite0 is EfficientNet-B0 without squeeze-and-excitation and with ReLU6. Its weights come from
TensorFlow: batch norm has epsilon 1e-3, padding is TensorFlow's SAME, input is (x - 127) / 128.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import openvino as ov
from openvino import opset13 as op

from embedding.builtin.head import conse, extended_conse
from embedding.openvino_cpu import Lanes

if TYPE_CHECKING:
    from collections.abc import Mapping

    import numpy.typing as npt

    from embedding.builtin.class_vectors import ClassVectors
    from embedding.builtin.concepts import Concepts

    Weights = Mapping[str, npt.NDArray[np.float32]]

SIDE = 224
_BATCH_NORM_EPSILON = 1e-3
_BLOCKS = 16
# Every other block's depthwise convolution keeps the resolution.
_HALVING_BLOCKS = {1, 3, 5, 11}


class PictureTower:
    """The compiled graph. ``lanes`` calls run at once, each on ``threads`` threads."""

    def __init__(self, graph: ov.Model, threads: int, lanes: int = 1) -> None:
        self.run = Lanes(graph, threads, lanes)

    def __call__(self, pixels: npt.NDArray[np.uint8]) -> npt.NDArray[np.float32]:
        """uint8 RGB [batch, 224, 224, 3] -> float32 [batch, columns of the graph's output]."""
        return self.run(pixels)


def build_graph(weights: Weights, classes: ClassVectors, concepts: Concepts) -> ov.Model:
    """The graph from uint8 [batch, 224, 224, 3] to float32 [batch, 512], rows of unit length."""
    pixels, features = _backbone(weights)
    vectors = extended_conse(features, _logits(features, weights), classes, concepts)
    return ov.Model([vectors], [pixels], "builtin-pictures")


def plain_graph(weights: Weights, classes: ClassVectors) -> ov.Model:
    """The same without the trained network, to compare with."""
    pixels, features = _backbone(weights)
    return ov.Model([conse(_logits(features, weights), classes)], [pixels], "builtin-plain")


def feature_graph(weights: Weights) -> ov.Model:
    """The graph from uint8 [batch, 224, 224, 3] to the pooled features, float32 [batch, 1280]: for training."""
    pixels, features = _backbone(weights)
    return ov.Model([features], [pixels], "builtin-features")


def _logits(features: ov.Node, weights: Weights) -> ov.Node:
    return op.add(op.matmul(features, weights["_fc.weight"], False, True), weights["_fc.bias"])


def _backbone(weights: Weights) -> tuple[ov.Node, ov.Node]:
    """The input and the pooled features."""
    pixels = op.parameter([-1, SIDE, SIDE, 3], ov.Type.u8, name="pixels")
    x = op.divide(op.subtract(op.convert(pixels, "f32"), np.float32(127)), np.float32(128))
    x = op.transpose(x, np.array([0, 3, 1, 2]))
    x = _relu6(_convolution(x, weights, "_conv_stem", "_bn0", stride=2))
    for number in range(_BLOCKS):
        x = _block(x, weights, number)
    x = _relu6(_convolution(x, weights, "_conv_head", "_bn1"))
    return pixels, op.reduce_mean(x, np.array([2, 3]), keep_dims=False)


def _block(x: ov.Node, weights: Weights, number: int) -> ov.Node:
    """An inverted residual: widen, filter each channel alone, narrow."""
    name, stride = f"_blocks.{number}.", 2 if number in _HALVING_BLOCKS else 1
    y = x
    if f"{name}_expand_conv.weight" in weights:
        y = _relu6(_convolution(y, weights, f"{name}_expand_conv", f"{name}_bn0"))
    y = _relu6(_convolution(y, weights, f"{name}_depthwise_conv", f"{name}_bn1", stride))
    y = _convolution(y, weights, f"{name}_project_conv", f"{name}_bn2")
    same_shape = stride == 1 and x.get_output_partial_shape(0)[1] == y.get_output_partial_shape(0)[1]
    return op.add(x, y) if same_shape else y


def _convolution(x: ov.Node, weights: Weights, name: str, norm: str, stride: int = 1) -> ov.Node:
    """A convolution with the batch norm after it folded in."""
    scale = weights[f"{norm}.weight"] / np.sqrt(weights[f"{norm}.running_var"] + _BATCH_NORM_EPSILON)
    kernel = weights[f"{name}.weight"] * scale[:, None, None, None]
    bias = weights[f"{norm}.bias"] - weights[f"{norm}.running_mean"] * scale
    strides, pads, dilations = [stride, stride], [0, 0], [1, 1]
    if "_depthwise_" in name:
        y = op.group_convolution(x, kernel[:, None], strides, pads, pads, dilations, "SAME_UPPER")
    else:
        y = op.convolution(x, kernel, strides, pads, pads, dilations, "SAME_UPPER")
    return op.add(y, bias[None, :, None, None])


def _relu6(x: ov.Node) -> ov.Node:
    return op.clamp(x, 0.0, 6.0)
