#!/usr/bin/env python3
"""Makes the ONNX models with which `braid bench model` compares: a float network of the same shape
as Braid's, and the one that ONNX Runtime's own static quantization makes of it.

Needs the Python packages onnx and onnxruntime. Weights are random: only speed is compared.

  tools/onnx_twin.py cnn|resnet20 FOLDER [--channels N]

writes FOLDER/NAME_f32.onnx, NAME_qdq.onnx and NAME_qoperator.onnx.
"""
import argparse
import pathlib

import numpy as np
import onnx
from onnx import TensorProto, helper, numpy_helper
from onnxruntime.quantization import (CalibrationDataReader, QuantFormat, QuantType,
                                      quantize_static)


class Graph:
    """Appends nodes in order and keeps the weights."""

    def __init__(self):
        self.random = np.random.default_rng(1)
        self.nodes, self.weights = [], []

    def weight(self, name, shape, scale):
        values = (self.random.standard_normal(shape) * scale).astype(np.float32)
        self.weights.append(numpy_helper.from_array(values, name))
        return name

    def conv(self, name, source, inputs, outputs, kernel, stride):
        scale = (2 / (inputs * kernel * kernel)) ** 0.5
        weight = self.weight(name + "_w", (outputs, inputs, kernel, kernel), scale)
        bias = self.weight(name + "_b", (outputs,), 0.1)
        self.nodes.append(helper.make_node("Conv", [source, weight, bias], [name], name=name,
                                           kernel_shape=[kernel, kernel],
                                           strides=[stride, stride], pads=[kernel // 2] * 4))
        return name

    def op(self, kind, name, *sources, **attributes):
        self.nodes.append(helper.make_node(kind, list(sources), [name], name=name, **attributes))
        return name

    def head(self, source, inputs, classes):
        flat = self.op("Flatten", "flat", source)
        weight = self.weight("head_w", (inputs, classes), inputs ** -0.5)
        bias = self.weight("head_b", (classes,), 0.1)
        self.op("Gemm", "logits", flat, weight, bias)


def cnn(channels):
    """docs/architecture.md's small image network: three 3x3 convolutions, strides 2, 2, 1."""
    g = Graph()
    last, inputs = "input", 1
    for i, stride in enumerate((2, 2, 1)):
        last = g.op("Relu", f"relu{i}", g.conv(f"conv{i}", last, inputs, channels, 3, stride))
        inputs = channels
    g.head(last, channels * 7 * 7, 10)
    return g, (1, 28, 28)


def resnet20(channels):
    g = Graph()
    last = g.op("Relu", "stem_relu", g.conv("stem", "input", 3, channels, 3, 1))
    inputs = channels
    for stage in range(3):
        for block in range(3):
            name, outputs = f"s{stage}b{block}", channels << stage
            first = stage > 0 and block == 0
            stride = 2 if first else 1
            short = g.conv(name + "_short", last, inputs, outputs, 1, stride) if first else last
            inner = g.op("Relu", name + "_r1", g.conv(name + "_c1", last, inputs, outputs, 3, stride))
            outer = g.conv(name + "_c2", inner, outputs, outputs, 3, 1)
            last = g.op("Relu", name + "_r2", g.op("Add", name + "_add", outer, short))
            inputs = outputs
    g.head(g.op("GlobalAveragePool", "pool", last), inputs, 10)
    return g, (3, 32, 32)


class RandomImages(CalibrationDataReader):
    def __init__(self, shape):
        random = np.random.default_rng(2)
        self.images = iter([{"input": (random.random((8, *shape)) - 0.5).astype(np.float32)}
                            for _ in range(8)])

    def get_next(self):
        return next(self.images, None)


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("network", choices=("cnn", "resnet20"))
    parser.add_argument("folder", type=pathlib.Path)
    parser.add_argument("--channels", type=int, help="of the first convolution "
                        "(default: 16)", default=16)
    options = parser.parse_args()
    graph, shape = {"cnn": cnn, "resnet20": resnet20}[options.network](options.channels)
    model = helper.make_model(
        helper.make_graph(
            graph.nodes, options.network,
            [helper.make_tensor_value_info("input", TensorProto.FLOAT, ["batch", *shape])],
            [helper.make_tensor_value_info("logits", TensorProto.FLOAT, ["batch", 10])],
            graph.weights),
        opset_imports=[helper.make_opsetid("", 13)], ir_version=8)
    onnx.checker.check_model(model)
    options.folder.mkdir(parents=True, exist_ok=True)
    path = options.folder / f"{options.network}_f32.onnx"
    onnx.save(model, path)
    for name, form in (("qdq", QuantFormat.QDQ), ("qoperator", QuantFormat.QOperator)):
        quantize_static(path, options.folder / f"{options.network}_{name}.onnx",
                        RandomImages(shape), quant_format=form, per_channel=True,
                        activation_type=QuantType.QUInt8, weight_type=QuantType.QInt8)


if __name__ == "__main__":
    main()
