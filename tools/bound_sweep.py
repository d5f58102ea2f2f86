#!/usr/bin/env python3
"""Accuracy against the rank fraction of the bounds at 8, 6, 5 and 4 bits: a table and a picture.

  tools/bound_sweep.py BRAID MODEL.onnx DATA OUT.svg [options of `braid quantize`...]

Runs `braid quantize` once for each fraction and number of bits; the table goes to stdout.
"""
import json
import math
import subprocess
import sys

RANKS = (0.9, 0.95, 0.99, 0.995, 0.99865, 0.9995, 0.99977, 0.9999, 1.0)
BITS = (8, 6, 5, 4)
COLOURS = {8: "#1b6ca8", 6: "#3a8f4d", 5: "#c77c11", 4: "#b3261e"}
WIDTH, HEIGHT, LEFT, TOP = 640, 360, 60, 20


def measure(braid, model, data, rank, bits, options):
    command = [braid, "quantize", "--json", "--data", data, "--rank", str(rank), "--bits",
               str(bits), *options, model]
    test = json.loads(subprocess.run(command, check=True, capture_output=True).stdout)["test"]
    return 100 * test["accuracy"], 100 * test["float_accuracy"]


def picture(rows, reference):
    low = math.floor(min(min(row) for row in rows.values()))
    high = math.ceil(max(reference, max(max(row) for row in rows.values())))
    x = lambda i: LEFT + i * (WIDTH - LEFT - 80) / (len(RANKS) - 1)
    y = lambda a: TOP + (high - a) * (HEIGHT - TOP - 50) / (high - low)
    out = [f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {HEIGHT}" '
           'font-family="sans-serif" font-size="11"><rect width="100%" height="100%" fill="#fff"/>']
    for i, rank in enumerate(RANKS):
        out.append(f'<text x="{x(i):.0f}" y="{HEIGHT - 30}" text-anchor="middle">{rank}</text>')
    out.append(f'<text x="{WIDTH / 2:.0f}" y="{HEIGHT - 8}" text-anchor="middle">rank fraction of the '
               'bounds</text>')
    for tick in range(5):
        a = low + (high - low) * tick / 4
        out.append(f'<text x="{LEFT - 6}" y="{y(a) + 4:.0f}" text-anchor="end">{a:.1f} %</text>'
                   f'<path d="M{LEFT} {y(a):.1f}H{WIDTH - 80}" stroke="#ddd"/>')
    out.append(f'<path d="M{LEFT} {y(reference):.1f}H{WIDTH - 80}" stroke="#000" '
               f'stroke-dasharray="4"/><text x="{WIDTH - 74}" y="{y(reference) - 4:.0f}">float</text>')
    for n, (bits, row) in enumerate(rows.items()):
        points = " ".join(f"{x(i):.1f},{y(a):.1f}" for i, a in enumerate(row))
        out.append(f'<polyline points="{points}" fill="none" stroke="{COLOURS[bits]}" '
                   f'stroke-width="2"/><text x="{WIDTH - 74}" y="{y(row[-1]) + 8 + 3 * n:.0f}" '
                   f'fill="{COLOURS[bits]}">{bits} bits</text>')
    return "\n".join(out + ["</svg>"]) + "\n"


def main():
    braid, model, data, svg, *options = sys.argv[1:]
    rows, reference = {}, 0
    for bits in BITS:
        row = []
        for rank in RANKS:
            accuracy, reference = measure(braid, model, data, rank, bits, options)
            row.append(accuracy)
        rows[bits] = row
    print("| rank fraction | " + " | ".join(f"{b} bits" for b in BITS) + " |")
    print("|---|" + "---|" * len(BITS))
    for i, rank in enumerate(RANKS):
        print(f"| {rank} | " + " | ".join(f"{rows[b][i]:.2f}" for b in BITS) + " |")
    print(f"\nfloat {reference:.2f}")
    with open(svg, "w") as file:
        file.write(picture(rows, reference))


if __name__ == "__main__":
    main()
