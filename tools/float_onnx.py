#!/usr/bin/env python3
"""Writes the float network of a checkpoint of braid-train as ONNX, without any package.

  tools/float_onnx.py CHECKPOINT.safetensors OUT.onnx

Takes `--recipe static` on the cnn backbone: three 3x3 convolutions with ReLU and a linear layer. The
network's input is (pixel - 128) / 64. Bounds are left out: train with `--bounded-from 1`, so that the
network has never seen one.
"""
import json
import struct
import sys

STRIDES = (("conv1", 2), ("conv2", 2), ("conv3", 1))


def read(path):
    with open(path, "rb") as file:
        size = struct.unpack("<Q", file.read(8))[0]
        header, data = json.loads(file.read(size)), file.read()
    recipe = json.loads(header.pop("__metadata__")["recipe"])
    if recipe["family"] != "static" or recipe["backbone"] != "cnn":
        sys.exit(f"{path}: neither the family static nor the backbone cnn")
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


def node(op, inputs, output, **ints):
    attributes = b"".join(
        blob(5, blob(1, key) + b"".join(number(8, v) for v in values) + number(20, 7))
        for key, values in ints.items())
    return blob(1, b"".join(blob(1, i) for i in inputs) + blob(2, output) + blob(3, output) +
                blob(4, op) + attributes)


def value(field, name, dims):
    shape = b"".join(blob(1, number(1, d) if d else blob(2, "N")) for d in dims)
    return blob(field, blob(1, name) + blob(2, blob(1, number(1, 1) + blob(2, shape))))


def folded(tensors, layer):
    """Weights times the gain of their output channel, and the bias."""
    shape, weights = tensors[layer + "/weight"]
    gains, bias = tensors[layer + "/gain"][1], tensors[layer + "/bias"][1]
    depth = len(weights) // shape[0]
    return shape, [w * gains[i // depth] for i, w in enumerate(weights)], bias


def main():
    source, out = sys.argv[1:3]
    tensors = read(source)
    nodes = weights = b""
    last = "input"
    for layer, stride in STRIDES:
        shape, values, bias = folded(tensors, layer)
        weights += tensor(layer + "_w", shape, values) + tensor(layer + "_b", [shape[0]], bias)
        nodes += node("Conv", [last, layer + "_w", layer + "_b"], layer, kernel_shape=[3, 3],
                      strides=[stride] * 2, pads=[1] * 4)
        nodes += node("Relu", [layer], layer + "_relu")
        last = layer + "_relu"
    shape, values, bias = folded(tensors, "head")
    depth = len(values) // shape[0]
    columns = [values[c * depth + i] for i in range(depth) for c in range(shape[0])]
    weights += tensor("head_w", [depth, shape[0]], columns) + tensor("head_b", [shape[0]], bias)
    nodes += node("Flatten", [last], "flat") + node("Gemm", ["flat", "head_w", "head_b"], "logits")
    channels, side = tensors["conv1/weight"][0][1], 4 * shape[2]
    graph = (nodes + blob(2, "cnn") + weights + value(11, "input", [0, channels, side, side]) +
             value(12, "logits", [0, shape[0]]))
    model = number(1, 8) + blob(2, "braid") + blob(7, graph) + blob(8, number(2, 13))
    with open(out, "wb") as file:
        file.write(model)


if __name__ == "__main__":
    main()
