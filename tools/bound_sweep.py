#!/usr/bin/env python3
"""Accuracy against the rank fraction of the bounds at 8, 6, 5 and 4 bits: tables and a picture.

  tools/bound_sweep.py BRAID MODEL.onnx DATA OUT.svg --quantize "--mean 128 --std 64 --test 10000" \\
      [--tune "--recipe static --backbone cnn --from CHECKPOINT ..."] [--results FILE.json]

Runs `braid quantize` once for each fraction and number of bits; with --tune also `braid train --bits N
--bound-rank R --bounded-from 0` with these options, which should start from the checkpoint that the ONNX model was
made of. Tables go to stdout. What was measured is kept in FILE.json, and a sweep that was stopped goes on.
"""
import argparse
import json
import math
import os
import subprocess
import tempfile

RANKS = (0.9, 0.95, 0.99, 0.995, 0.99865, 0.9995, 0.99977, 0.9999, 1.0)
TUNED_RANKS = (0.95, 0.99, 0.99865, 0.9995, 0.99977, 1.0)
BITS = (8, 6, 5, 4)
COLOURS = {8: "#1b6ca8", 6: "#3a8f4d", 5: "#c77c11", 4: "#b3261e"}
WIDTH, HEIGHT, LEFT, TOP = 640, 360, 60, 20


def output(command):
    return json.loads(subprocess.run(command, check=True, capture_output=True).stdout)


def quantized(o, rank, bits):
    test = output([o.braid, "quantize", "--json", "--data", o.data, "--rank", str(rank), "--bits", str(bits),
                   *o.quantize.split(), o.model])["test"]
    return 100 * test["accuracy"], 100 * test["float_accuracy"]


def tuned(o, rank, bits):
    with tempfile.TemporaryDirectory() as folder:
        run = output([o.braid, "train", "--json", "--data", o.data, "--bound-rank", str(rank), "--bits",
                      str(bits), "--bounded-from", "0", "--out", folder, *o.tune.split()])["runs"][0]
    return 100 * run["operating_points"][0]["accuracy"]


class Results:
    """Measured values by name, kept in a file."""

    def __init__(self, path):
        self.path, self.values = path, {}
        if path and os.path.exists(path):
            with open(path) as file:
                self.values = json.load(file)

    def get(self, name, measure):
        if name not in self.values:
            self.values[name] = measure()
            if self.path:
                with open(self.path + ".part", "w") as file:
                    json.dump(self.values, file, indent=1)
                os.replace(self.path + ".part", self.path)
        return self.values[name]


def line(row, x, y, style):
    points = " ".join(f"{x(RANKS.index(rank)):.1f},{y(value):.1f}" for rank, value in row.items())
    return f'<polyline points="{points}" fill="none" stroke-width="2" {style}/>'


def picture(before, after, reference):
    values = [v for rows in (before, after) for row in rows.values() for v in row.values()] + [reference]
    low, high = math.floor(min(values)), math.ceil(max(values))
    x = lambda i: LEFT + i * (WIDTH - LEFT - 80) / (len(RANKS) - 1)
    y = lambda a: TOP + (high - a) * (HEIGHT - TOP - 50) / (high - low)
    right = WIDTH - 74
    out = [f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {HEIGHT}" '
           'font-family="sans-serif" font-size="11"><rect width="100%" height="100%" fill="#fff"/>']
    for i, rank in enumerate(RANKS):
        out.append(f'<text x="{x(i):.0f}" y="{HEIGHT - 30}" text-anchor="middle">{rank}</text>')
    title = "rank fraction of the bounds" + ("; dashed: before fine-tuning" if after else "")
    out.append(f'<text x="{WIDTH / 2:.0f}" y="{HEIGHT - 8}" text-anchor="middle">{title}</text>')
    for tick in range(5):
        a = low + (high - low) * tick / 4
        out.append(f'<text x="{LEFT - 6}" y="{y(a) + 4:.0f}" text-anchor="end">{a:.1f} %</text>'
                   f'<path d="M{LEFT} {y(a):.1f}H{WIDTH - 80}" stroke="#ddd"/>')
    out.append(f'<path d="M{LEFT} {y(reference):.1f}H{WIDTH - 80}" stroke="#000" stroke-dasharray="1 3"/>'
               f'<text x="{right}" y="{y(reference) - 4:.0f}">float</text>')
    for n, bits in enumerate(before):
        solid = f'stroke="{COLOURS[bits]}"'
        if bits in after:
            out.append(line(after[bits], x, y, solid))
            out.append(line(before[bits], x, y, solid + ' stroke-dasharray="5 4" stroke-opacity="0.7"'))
        else:
            out.append(line(before[bits], x, y, solid))
        # One under the other: the lines end close together.
        out.append(f'<text x="{right}" y="{y(high) + 40 + 15 * n:.0f}" fill="{COLOURS[bits]}">{bits} bits</text>')
    return "\n".join(out + ["</svg>"]) + "\n"


def table(title, rows, ranks):
    print(f"{title}\n\n| rank fraction | " + " | ".join(f"{b} bits" for b in BITS) + " |")
    print("|---|" + "---|" * len(BITS))
    for rank in ranks:
        print(f"| {rank} | " + " | ".join(f"{rows[b][rank]:.2f}" for b in BITS) + " |")
    print()


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    for name in ("braid", "model", "data", "svg"):
        parser.add_argument(name)
    parser.add_argument("--quantize", default="", help="options of `braid quantize`")
    parser.add_argument("--tune", default="", help="options of `braid train`")
    parser.add_argument("--results", default="", help="file of what was measured so far")
    o = parser.parse_args()
    results = Results(o.results)
    before, after, reference = {b: {} for b in BITS}, {}, 0
    for bits in BITS:
        for rank in RANKS:
            before[bits][rank], reference = results.get(f"quantized {bits} {rank}",
                                                        lambda: quantized(o, rank, bits))
    if o.tune:
        after = {b: {r: results.get(f"tuned {b} {r}", lambda: tuned(o, r, b)) for r in TUNED_RANKS} for b in BITS}
    table("Before fine-tuning", before, RANKS)
    if after:
        table("After fine-tuning", after, TUNED_RANKS)
    print(f"float {reference:.2f}")
    with open(o.svg, "w") as file:
        file.write(picture(before, after, reference))


if __name__ == "__main__":
    main()
