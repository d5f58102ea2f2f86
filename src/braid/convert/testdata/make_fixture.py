#!/usr/bin/env python3
"""Makes digits_resnet.onnx: a small residual classifier, trained and exported by PyTorch.

usage: make_fixture.py FOLDER OUT   (needs torch 1.13 or later: Debian's python3-torch)
FOLDER holds what `braid data generate digits --count 6000 --seed 21 --out FOLDER` wrote.

It has what import must fold: batch normalization, biases, a shortcut behind a ReLU and one through a
convolution, a maximum, ReLU6, a mean over the whole map, and a Gemm. The network's input is
(pixel - 128) / 64, so padding is mid-grey, as Braid pads.
"""
import gzip
import os
import struct
import sys

import torch
from torch import nn
from torch.nn import functional


def read(folder, kind):
    name = next(n for n in sorted(os.listdir(folder)) if n.startswith("train-" + kind))
    path = os.path.join(folder, name)
    with (gzip.open if name.endswith(".gz") else open)(path, "rb") as file:
        data = file.read()
    dimensions = data[3]
    shape = struct.unpack(">" + "I" * dimensions, data[4:4 + 4 * dimensions])
    return torch.frombuffer(bytearray(data[4 + 4 * dimensions:]), dtype=torch.uint8).view(*shape)


class Net(nn.Module):
    def __init__(self):
        super().__init__()
        self.stem = nn.Conv2d(1, 10, 3, padding=1, bias=False)
        self.stem_norm = nn.BatchNorm2d(10)
        self.a1 = nn.Conv2d(10, 10, 3, padding=1, bias=False)
        self.a1_norm = nn.BatchNorm2d(10)
        self.a2 = nn.Conv2d(10, 10, 3, padding=1, bias=False)
        self.a2_norm = nn.BatchNorm2d(10)
        self.b1 = nn.Conv2d(10, 18, 3, stride=2, padding=1)
        self.b2 = nn.Conv2d(18, 18, 3, padding=1, bias=False)
        self.b2_norm = nn.BatchNorm2d(18)
        self.b_skip = nn.Conv2d(10, 18, 1, stride=2)
        self.depthwise = nn.Conv2d(18, 18, 3, padding=1, groups=18)
        self.out = nn.Linear(18, 10)

    def forward(self, x):
        x = functional.max_pool2d(functional.relu(self.stem_norm(self.stem(x))), 2)
        y = functional.relu6(self.a1_norm(self.a1(x)))
        x = functional.relu(self.a2_norm(self.a2(y)) + x)
        y = functional.relu(self.b1(x))
        x = functional.relu(self.b2_norm(self.b2(y)) + self.b_skip(x))
        x = functional.relu(self.depthwise(x))
        return self.out(x.mean((2, 3)))


def main():
    torch.manual_seed(1)
    torch.set_num_threads(1)
    folder, out = sys.argv[1:3]
    images = (read(folder, "images").float().unsqueeze(1) - 128) / 64
    targets = read(folder, "labels").long()
    net, epochs, batch = Net(), 5, 50
    steps = epochs * (len(images) // batch)
    optimizer = torch.optim.AdamW(net.parameters(), lr=5e-3)
    schedule = torch.optim.lr_scheduler.OneCycleLR(optimizer, 1e-2, steps)
    for epoch in range(epochs):
        total = 0.0
        for index in torch.randperm(len(images)).split(batch):
            loss = functional.cross_entropy(net(images[index]), targets[index])
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
            if schedule.last_epoch < steps - 1:
                schedule.step()
            total += loss.item() * len(index)
        print(f"epoch {epoch}: loss {total / len(images):.4f}", flush=True)
    net.eval()
    with torch.no_grad():
        print("training accuracy", (net(images).argmax(1) == targets).float().mean().item())
    torch.onnx.export(net, images[:1], out, input_names=["image"], output_names=["scores"],
                      dynamic_axes={"image": {0: "n"}, "scores": {0: "n"}}, opset_version=13,
                      do_constant_folding=False,
                      # EVAL would fold the normalizations before import can.
                      training=torch.onnx.TrainingMode.PRESERVE)


main()
