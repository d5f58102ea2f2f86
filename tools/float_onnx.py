#!/usr/bin/env python3
"""Writes the float network of a checkpoint of braid-train as ONNX, without any package.

  tools/float_onnx.py CHECKPOINT.safetensors OUT.onnx

Takes `--recipe static` on the backbones cnn (three 3x3 convolutions with ReLU and a linear layer),
resnetN, vdsrN and vrcnn, which add what they compute to their input. The network's input is
(pixel - 128) / 64, and so is the image of the last two. Bounds are left out: train with `--bounded-from 1`,
so that the network has never seen one.
"""
import json
import struct
import sys

CNN = (("conv1", 2), ("conv2", 2), ("conv3", 1))


def read(path):
    with open(path, "rb") as file:
        size = struct.unpack("<Q", file.read(8))[0]
        header, data = json.loads(file.read(size)), file.read()
    recipe = json.loads(header.pop("__metadata__")["recipe"])
    if recipe["family"] != "static" or not recipe["backbone"].startswith(("cnn", "resnet", "vdsr", "vrcnn")):
        sys.exit(f"{path}: not the family static on the backbone cnn, resnetN, vdsrN or vrcnn")
    tensors = {}
    for name, entry in header.items():
        first, last = entry["data_offsets"]
        if entry["dtype"] == "F32" and "/" in name and not name.startswith(("adam", "buffer")):
            tensors[name] = (entry["shape"], struct.unpack(f"<{(last - first) // 4}f", data[first:last]))
    return tensors


# Protocol buffers by hand: field numbers of onnx.proto3.
def varint(value):
    out = bytearray()
    while value > 127:
        out.append(value & 127 | 128)
        value >>= 7
    return bytes(out + bytes([value]))


def number(field, value):
    return varint(field << 3) + varint(value)


def blob(field, value):
    value = value.encode() if isinstance(value, str) else value
    return varint(field << 3 | 2) + varint(len(value)) + value


def tensor(name, shape, values):
    return blob(5, b"".join(number(1, d) for d in shape) + number(2, 1) + blob(8, name) +
                blob(9, struct.pack(f"<{len(values)}f", *values)))


def node(op, inputs, output, **attributes):
    """Attributes: whole numbers, or lists of them."""
    attributes = b"".join(
        blob(5, blob(1, key) + (number(3, v) + number(20, 2) if isinstance(v, int) else
                                b"".join(number(8, each) for each in v) + number(20, 7)))
        for key, v in attributes.items())
    return blob(1, b"".join(blob(1, i) for i in inputs) + blob(2, output) + blob(3, output) +
                blob(4, op) + attributes)


def value(field, name, dims):
    shape = b"".join(blob(1, number(1, d) if d else blob(2, free)) for d, free in zip(dims, "NCHW"))
    return blob(field, blob(1, name) + blob(2, blob(1, number(1, 1) + blob(2, shape))))


def folded(tensors, layer):
    """Weights times the gain of their output channel, and the bias."""
    shape, weights = tensors[layer + "/weight"]
    gains, bias = tensors[layer + "/gain"][1], tensors[layer + "/bias"][1]
    depth = len(weights) // shape[0]
    return shape, [w * gains[i // depth] for i, w in enumerate(weights)], bias


class Graph:
    def __init__(self, tensors):
        self.tensors, self.nodes, self.weights = tensors, b"", b""

    def node(self, op, inputs, output, **ints):
        self.nodes += node(op, inputs, output, **ints)
        return output

    def conv(self, layer, source, stride):
        shape, values, bias = folded(self.tensors, layer)
        self.weights += tensor(layer + "_w", shape, values) + tensor(layer + "_b", [shape[0]], bias)
        side = shape[2]
        return self.node("Conv", [source, layer + "_w", layer + "_b"], layer,
                         kernel_shape=[side] * 2, strides=[stride] * 2, pads=[side // 2] * 4)

    def relu(self, source):
        return self.node("Relu", [source], source + "_relu")

    def head(self, source):
        shape, values, bias = folded(self.tensors, "head")
        depth = len(values) // shape[0]
        columns = [values[c * depth + i] for i in range(depth) for c in range(shape[0])]
        self.weights += tensor("head_w", [depth, shape[0]], columns)
        self.weights += tensor("head_b", [shape[0]], bias)
        self.node("Flatten", [source], "flat")
        self.node("Gemm", ["flat", "head_w", "head_b"], "logits")


def cnn(graph):
    last = "input"
    for layer, stride in CNN:
        last = graph.relu(graph.conv(layer, last, stride))
    return last


def resnet(graph):
    """Blocks add what the last one left before its ReLU; their names and strides as in backbone.cc."""
    wide = graph.conv("stem", "input", 1)
    last = graph.relu(wide)
    blocks = [name[: -len("/conv1/weight")] for name in graph.tensors if name.endswith("/conv1/weight")]
    number = lambda block: [int("".join(c for c in part if c.isdigit())) for part in block.split("/")]
    for block in sorted(blocks, key=number):
        narrows = block + "/shortcut/weight" in graph.tensors
        stride = 2 if narrows else 1
        if narrows:
            wide = graph.conv(block + "/shortcut", last, stride)
        inner = graph.relu(graph.conv(block + "/conv1", last, stride))
        wide = graph.node("Add", [graph.conv(block + "/conv2", inner, 1), wide], block)
        last = graph.relu(wide)
    return graph.node("GlobalAveragePool", [last], "pool")


def vdsr(graph):
    last, number = "input", 1
    while f"conv{number}/weight" in graph.tensors:
        last = graph.relu(graph.conv(f"conv{number}", last, 1))
        number += 1
    return last


def vrcnn(graph):
    last = graph.relu(graph.conv("conv1", "input", 1))
    for pair in (("conv2/5x5", "conv2/3x3"), ("conv3/3x3", "conv3/1x1")):
        maps = [graph.relu(graph.conv(layer, last, 1)) for layer in pair]
        last = graph.node("Concat", maps, pair[0] + "_both", axis=1)
    return last


def restorer(graph):
    last = (vrcnn if "conv2/5x5/weight" in graph.tensors else vdsr)(graph)
    graph.node("Add", ["input", graph.conv("residual", last, 1)], "image")
    image = [0, 1, 0, 0]
    return blob(2, "restorer") + graph.weights + value(11, "input", image) + value(12, "image", image)


def classifier(graph):
    residual = "stem/weight" in graph.tensors
    graph.head((resnet if residual else cnn)(graph))
    classes, _, side, _ = graph.tensors["head/weight"][0]
    channels = graph.tensors["stem/weight" if residual else "conv1/weight"][0][1]
    side = 32 if residual else 4 * side  # a mean over the whole map takes any side
    return (blob(2, "resnet" if residual else "cnn") + graph.weights +
            value(11, "input", [0, channels, side, side]) + value(12, "logits", [0, classes]))


def main():
    source, out = sys.argv[1:3]
    graph = Graph(read(source))
    rest = (restorer if "residual/weight" in graph.tensors else classifier)(graph)
    body = graph.nodes + rest
    model = number(1, 8) + blob(2, "braid") + blob(7, body) + blob(8, number(2, 13))
    with open(out, "wb") as file:
        file.write(model)


if __name__ == "__main__":
    main()
