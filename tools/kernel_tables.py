#!/usr/bin/env python3
"""Turns what `braid bench kernels --json` and `braid bench model --json` print into the tables and
the summary of docs/results/kernels.md.

  tools/kernel_tables.py RESULT.json...
"""
import json
import math
import sys

K36 = {"gemm_156800x4x36", "gemm_156800x8x36", "gemm_156800x16x36"}


def geometric_mean(values):
    return math.exp(sum(map(math.log, values)) / len(values))


def ratio(case, library):
    found = case.get("ratios", {}).get(library)
    return found["median"] if found else None


def cell(value, form="{:.2f}"):
    return "–" if value is None else form.format(value)


def kernel_table(report):
    print(f"{report['processor']}, path `{report['kernels']}`, input {report['input']}, "
          f"{report['rounds']} rounds of {report['min_ms']} ms. Measured peaks: "
          + ", ".join(f"{name} {value:.0f}" for name, value in report["peaks"].items())
          + ". Versions: "
          + ", ".join(f"{name} {value or 'absent'}" for name, value in report["libraries"].items())
          + ".\n")
    print("| Case | Braid GOPS | of peak | FBGEMM | ratio | oneDNN | ratio | oneDNN f32 | ratio "
          "| code µs |")
    print("|---|---|---|---|---|---|---|---|---|---|")
    for c in report["cases"]:
        cells = [c["name"], f"{c['braid_gops']:.0f}", f"{100 * c['braid_of_peak']:.0f} %"]
        for library, key in (("fbgemm", "fbgemm_gops"), ("onednn", "onednn_gops"),
                             ("onednn_f32", "onednn_f32_gflops")):
            cells += [cell(c[key], "{:.0f}"), cell(ratio(c, library))]
        print("| " + " | ".join(cells + [f"{c['braid_code_us']:.0f}"]) + " |")
    print()


def bar(text, measured, wanted, smallest=None):
    if measured is None:
        print(f"- {text}: not measured (library absent)")
        return
    met = "met" if measured >= wanted else "**not met**"
    where = f" ({smallest})" if smallest else ""
    print(f"- {text}: {measured:.2f}{where}, wanted {wanted}: {met}")


def least(cases, value):
    known = [(value(c), c["name"]) for c in cases if value(c) is not None]
    return min(known) if known else (None, None)


def mean(cases, library):
    known = [ratio(c, library) for c in cases if ratio(c, library) is not None]
    return geometric_mean(known) if known else None


def best_peer(case):
    known = [r for r in (ratio(case, "fbgemm"), ratio(case, "onednn")) if r is not None]
    return min(known) if known else None


def vnni_bars(cases):
    published = [c for c in cases if c["set"] == "published"]
    thin = [c for c in cases if c["set"] in ("thin", "convolution") or c["name"] in K36]
    bar("FBGEMM's list without K=36, geometric mean of ratios to FBGEMM",
        mean([c for c in published if c["name"] not in K36], "fbgemm"), 1.08)
    value, name = least([c for c in cases if c["name"] in K36], lambda c: ratio(c, "fbgemm"))
    bar("least ratio to FBGEMM on the K=36 shapes", value, 2, name)
    bar("FBGEMM's list, geometric mean of ratios to oneDNN", mean(published, "onednn"), 1.12)
    value, name = least([c for c in published if c["m"] >= 6], best_peer)
    bar("least ratio to the better of the two, M ≥ 6", value, 0.97, name)
    value, name = least([c for c in published if c["m"] == 1], lambda c: ratio(c, "fbgemm"))
    bar("least ratio to FBGEMM at M = 1", value, 1.0, name)
    large = [c for c in published if 16 <= c["m"] <= 256 and c["n"] >= 512 and c["k"] >= 512]
    for text, wanted, chosen in (
            ("of peak, M 16 to 256, N, K ≥ 512, weights ≤ 512 KiB", 0.93,
             [c for c in large if c["n"] * c["k"] <= 1 << 19]),
            ("of peak, the same with larger weights", 0.88,
             [c for c in large if c["n"] * c["k"] > 1 << 19])):
        value, name = least(chosen, lambda c: c["braid_of_peak"])
        bar("least part " + text, value, wanted, name)
    value, name = least(thin, lambda c: ratio(c, "fbgemm"))
    bar("least ratio to FBGEMM, conv-like shapes", value, 2, name)
    value, name = least(thin, lambda c: ratio(c, "onednn"))
    bar("least ratio to oneDNN, conv-like shapes", value, 1.05, name)
    value, name = least([c for c in cases if c["set"] == "convolution"],
                        lambda c: c["braid_of_peak"])
    bar("least part of peak, 3×3 convolutions", value, 0.8, name)
    value, name = least([c for c in published if c["m"] >= 16], lambda c: ratio(c, "onednn_f32"))
    bar("least ratio to oneDNN f32, M ≥ 16", value, 3.5, name)
    value, name = least(published, lambda c: ratio(c, "onednn_f32"))
    bar("least ratio to oneDNN f32, whole list", value, 1.8, name)


def avx2_bars(report):
    wanted = 0.97 if report["input"] == "u7" else 0.7
    published = [c for c in report["cases"] if c["set"] == "published"]
    bar(f"AVX2, {report['input']}: geometric mean of ratios to FBGEMM's AVX2 path",
        mean(published, "fbgemm"), wanted)
    value, name = least(published, lambda c: ratio(c, "fbgemm"))
    bar(f"AVX2, {report['input']}: least of them", value, wanted, name)


def code_bar(cases):
    slowest = max(cases, key=lambda c: c["braid_code_us"])
    met = "met" if slowest["braid_code_us"] < 1000 else "**not met**"
    print(f"- code generation, slowest case with all its kernels: {slowest['braid_code_us']:.0f} µs "
          f"({slowest['name']}), wanted below 1000: {met}")


def model_table(report):
    print(f"{report['network']}, point {report['operating_point']}: "
          f"{report['macs'] / 1e6:.2f} MMAC, floor {report['floor_us_per_image']:.2f} µs an image; "
          f"plan with all its code {report['plan_us']:.0f} µs; cold start "
          + cell(report["cold_start_ms"] and report["cold_start_ms"]["median"], "{:.1f} ms.\n"))
    print("| batch | threads | Braid µs/image | of floor | ONNX Runtime int8 | ratio "
          "| ONNX Runtime f32 | ratio | its int8 on our export | ratio |")
    print("|---|---|---|---|---|---|---|---|---|---|")
    for c in report["cases"]:
        cells = [str(c["batch"]), str(c["threads"]), f"{c['braid_us_per_image']:.2f}",
                 cell(c["of_floor"] and 100 * c["of_floor"], "{:.0f} %")]
        for key in ("onnxruntime_int8", "onnxruntime_f32", "onnxruntime_exported"):
            peer = c.get(key)
            cells += [cell(peer and peer["us_per_image"]), cell(peer and peer["ratio"]["median"])]
        print("| " + " | ".join(cells) + " |")
    print()


def main():
    if len(sys.argv) < 2:
        sys.exit(__doc__)
    for path in sys.argv[1:]:
        with open(path, encoding="utf-8") as file:
            report = json.load(file)
        if "network" in report:
            model_table(report)
            continue
        kernel_table(report)
        if report["kernels"] == "avx2":
            avx2_bars(report)
        else:
            vnni_bars(report["cases"])
        code_bar(report["cases"])
        print()


if __name__ == "__main__":
    main()
