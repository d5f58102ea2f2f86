#!/usr/bin/env python3
"""Networks in the forms of DenseNet, MobileNet and Inception, through import, export and ONNX Runtime.

Makes three small ONNX classifiers with random weights (concatenations with normalization behind them,
depthwise and grouped convolutions, parallel branches), imports each with generated digits, and
compares on other digits: the integer model's class with the float graph's in ONNX Runtime, and the
logits of both exported forms in ONNX Runtime with those of `braid infer`. The integer form must give
the same logits on every image, the QDQ form the same class on 99.9 %.

Needs the Python packages numpy, onnx and onnxruntime.

  tools/onnx_forms.py BRAID FOLDER [IMAGES]
"""
import json
import os
import pathlib
import subprocess
import sys

import numpy as np
import onnx
import onnxruntime as ort
from onnx import TensorProto, helper, numpy_helper

BRAID, FOLDER = sys.argv[1], pathlib.Path(sys.argv[2])
IMAGES = int(sys.argv[3]) if len(sys.argv) > 3 else 200
MEAN, STD, CLASSES = 128, 64, 10


class Graph:
    """Appends nodes in order; a map is (name, channels)."""

    def __init__(self):
        self.random = np.random.default_rng(3)
        self.nodes, self.weights = [], []

    def constant(self, values):
        name = f"w{len(self.weights)}"
        self.weights.append(numpy_helper.from_array(values.astype(np.float32), name))
        return name

    def op(self, kind, *inputs, **attributes):
        name = f"v{len(self.nodes)}"
        self.nodes.append(helper.make_node(kind, list(inputs), [name], name=f"{name}_{kind}",
                                           **attributes))
        return name

    def conv(self, source, channels, kernel, stride=1, group=1):
        shape = (channels, source[1] // group, kernel, kernel)
        scale = (2 / np.prod(shape[1:])) ** 0.5
        weights = self.constant(self.random.standard_normal(shape) * scale)
        return self.op("Conv", source[0], weights, kernel_shape=[kernel] * 2, strides=[stride] * 2,
                       pads=[kernel // 2] * 4, group=group), channels

    def normalized(self, source):
        draw = lambda low, high: self.constant(self.random.uniform(low, high, source[1]))
        name = self.op("BatchNormalization", source[0], draw(.5, 1.5), draw(-.3, .3),
                       draw(-.3, .3), draw(.5, 1.5))
        return self.op("Relu", name), source[1]

    def relu(self, source):
        return self.op("Relu", source[0]), source[1]

    def pool(self, kind, source, kernel, stride, pad=0):
        return self.op(kind, source[0], kernel_shape=[kernel] * 2, strides=[stride] * 2,
                       pads=[pad] * 4), source[1]

    def join(self, *sources):
        return self.op("Concat", *(s[0] for s in sources), axis=1), sum(s[1] for s in sources)

    def save(self, last, path):
        mean = self.op("Flatten", self.op("GlobalAveragePool", last[0]))
        weights = self.constant(self.random.standard_normal((CLASSES, last[1])) * last[1] ** -.5)
        scores = self.op("Gemm", mean, weights, self.constant(np.zeros(CLASSES)), transB=1)
        value = lambda name, shape: helper.make_tensor_value_info(name, TensorProto.FLOAT, shape)
        graph = helper.make_graph(self.nodes, path.stem, [value("x", ["N", 1, 28, 28])],
                                  [value(scores, ["N", CLASSES])], self.weights)
        model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 13)])
        model.ir_version = 8
        onnx.checker.check_model(model)
        onnx.save(model, path)


def densenet(g):
    """Two blocks of three layers with bottlenecks, growth 8; normalization before convolutions."""
    last = g.conv(("x", 1), 16, 3, 2)
    for block in range(2):
        for _ in range(3):
            grown = g.conv(g.normalized(g.conv(g.normalized(last), 32, 1)), 8, 3)
            last = g.join(last, grown)
        last = g.normalized(last)
        if block == 0:
            last = g.pool("AveragePool", g.conv(last, last[1] // 2, 1), 2, 2)
    return last


def mobile(g):
    """Depthwise and pointwise convolutions, and one in groups of 8 channels."""
    last = g.normalized(g.conv(("x", 1), 16, 3, 2))
    for channels, stride in ((24, 1), (48, 2), (48, 1)):
        last = g.normalized(g.conv(last, last[1], 3, stride, last[1]))
        last = g.normalized(g.conv(last, channels, 1))
    return g.relu(g.conv(last, 48, 3, 1, 6))


def inception(g):
    """Four parallel branches, twice."""
    last = g.relu(g.conv(("x", 1), 12, 3, 2))
    for block in range(2):
        branches = [g.relu(g.conv(last, 10, 1)),
                    g.relu(g.conv(g.relu(g.conv(last, 8, 1)), 12, 3)),
                    g.relu(g.conv(g.relu(g.conv(last, 4, 1)), 6, 5)),
                    g.relu(g.conv(g.pool("MaxPool", last, 3, 1, 1), 6, 1))]
        last = g.join(*branches)
        if block == 0:
            last = g.pool("MaxPool", last, 2, 2)
    return last


def braid(*arguments, **environment):
    done = subprocess.run([BRAID, *map(str, arguments)], capture_output=True, text=True,
                          env=dict(os.environ, **environment))
    if done.returncode != 0:
        raise RuntimeError(f"braid {' '.join(map(str, arguments))}: {done.stderr}")
    return done.stdout


def run(path, outputs, feed):
    options = ort.SessionOptions()
    options.log_severity_level = 3
    session = ort.InferenceSession(str(path), options, providers=["CPUExecutionProvider"])
    return session.run(outputs, feed)


def main():
    # The generator's files have MNIST's form and stand in for it.
    data = FOLDER / "data"
    braid("data", "generate", "digits", "--count", IMAGES, "--seed", 9, "--out", data / "mnist")
    pixels = np.fromfile(next((data / "mnist").glob("t10k-images*")), np.uint8)[16:]
    pixels = pixels.reshape(-1, 28, 28, 1)[:IMAGES]
    passed = True
    for make in (densenet, mobile, inception):
        graph, model = FOLDER / f"{make.__name__}.onnx", FOLDER / f"{make.__name__}.braid"
        g = Graph()
        g.save(make(g), graph)
        braid("import", graph, "--calibration", "digits", "--limit", 64, "--offline", "--mean", MEAN,
              "--std", STD, "--out", model)
        braid("verify", model)
        report = json.loads(braid("infer", "--model", model, "--point", "g0", "--data", "mnist",
                                  "--index", f"0..{len(pixels) - 1}", "--offline", "--json",
                                  BRAID_DATA=str(data)))
        logits = np.array([image["logits"] for image in report["images"]])
        scaled = ((pixels.astype(np.float32) - MEAN) / STD).transpose(0, 3, 1, 2)
        scores = run(graph, None, {"x": scaled})[0]
        print(f"{make.__name__}: {len(pixels)} images, class of the float graph on "
              f"{np.mean(scores.argmax(1) == logits.argmax(1)):.1%}")
        for form in ("integer", "qdq"):
            path = FOLDER / f"{make.__name__}_{form}.onnx"
            braid("export", model, "--point", "g0", "--form", form, "--out", path)
            got, best = run(path, ["logits", "class"], {"input": pixels})
            same_logits = np.mean(np.all(got == logits, axis=1))
            same_class = np.mean(best == logits.argmax(1))
            passed &= bool(same_logits == 1 if form == "integer" else same_class >= 0.999)
            print(f"  {form}: same logits {same_logits:.1%}, same class {same_class:.1%}, largest "
                  f"difference {np.abs(got - logits).max():.4g} of {np.abs(logits).max()}")
    return 0 if passed else 1


sys.exit(main())
