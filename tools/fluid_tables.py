#!/usr/bin/env python3
"""Writes the tables of docs/results/fluid.md from the logs of trainings, models/logs/.

    tools/fluid_tables.py [--check]

A table stands between `<!-- table: NAME -->` and `<!-- end -->`. --check changes nothing and fails
where the page does not hold what the logs say. A log's last result counts.
"""
import json
import pathlib
import re
import sys

ROOT = pathlib.Path(__file__).resolve().parent.parent
PAGE = ROOT / "docs/results/fluid.md"
LOGS = ROOT / "models/logs"
DATA = ("mnist", "fashion-mnist")
SEEDS = (1, 2, 3)


def read_log(path):
    """{"recipe", "points": {name: (integer, float)}, "cost": {...}, "asked": {...}}, or None."""
    recipe = result = None
    for line in path.read_text().splitlines():
        event = json.loads(line)
        if event["event"] in ("begin", "resume"):
            recipe = event["recipe"]
        elif event["event"] == "result":
            result = event["result"]
    if recipe is None or result is None:
        return None
    points = result["operating_points"]
    if "validation" not in recipe:  # written before trainings could hold images out: made otherwise
        return None
    return {
        "recipe": recipe,
        "points": {p["name"]: (100 * p["accuracy"], 100 * p["float_accuracy"]) for p in points},
        "cost": {p["name"]: (p["macs"], p["weight_bytes"]) for p in points},
        "asked": {k: 100 * v for k, v in result.get("asked_alone", {}).items()},
    }


RUNS = {p.stem: read_log(p) for p in sorted(LOGS.glob("*.jsonl"))}
HELD = {p.stem: read_log(p) for p in sorted((LOGS / "held-out").glob("*.jsonl"))}


def mean(values):
    return sum(values) / len(values)


def runs_of(recipe, data):
    runs = [RUNS.get(f"{recipe}_{data}_s{seed}") for seed in SEEDS]
    return [run for run in runs if run]


def accuracies(recipe, data, point):
    """One integer accuracy a seed; a function of a run may stand in a point's place."""
    pick = point if callable(point) else lambda run: run["points"][point][0]
    return [pick(run) for run in runs_of(recipe, data)]


def shown(recipe, data, point, form="{:.2f}"):
    """The accuracies of all seeds, "–" for one that was not trained, and their mean."""
    values = accuracies(recipe, data, point)
    if not values:
        return "not trained"
    trained = [f"{recipe}_{data}_s{seed}" in RUNS and RUNS[f"{recipe}_{data}_s{seed}"] is not None
               for seed in SEEDS]
    rest = iter(values)
    text = " / ".join(form.format(next(rest)) if there else "–" for there in trained)
    return text if len(values) == 1 else f"{text} (mean {form.format(mean(values))})"


def groups(point):
    """The set of groups of a point without a sum, "g0+2" or "g0-3"."""
    result = set()
    for part in point[1:].split("+"):
        first, _, last = part.partition("-")
        result |= set(range(int(first), int(last or first) + 1))
    return frozenset(result)


def single(run):
    """{groups: (name, accuracy)} of the points that are one sub-network."""
    return {groups(n): (n, a[0]) for n, a in run["points"].items() if "," not in n}


def worst(run, size=None):
    return min(a for s, (_, a) in single(run).items() if size in (None, len(s)))


def least_gain(run):
    subs = single(run)
    return min(b - a for s, (_, a) in subs.items() for t, (_, b) in subs.items()
               if s < t and len(t) == len(s) + 1)


def width_alone(data):
    """Mean accuracy of a network trained at that width only, by its number of groups."""
    halves = accuracies("ensemble2", data, "g0+1") + accuracies("ensemble2", data, "g2+3")
    found = {1: accuracies("alone1", data, "g0"), 2: halves,
             3: accuracies("alone3", data, "g0-2"), 4: accuracies("static", data, "g0-3")}
    return {width: mean(values) for width, values in found.items() if values}


def minus_alone(recipe, data):
    runs, alone = runs_of(recipe, data), width_alone(data)
    if not runs:
        return "not trained"
    gaps = [(mean([single(run)[s][1] for run in runs]) - alone[len(s)], name)
            for s, (name, _) in single(runs[0]).items() if len(s) in alone]
    if not gaps:
        return "not trained"
    gap, name = min(gaps)
    return f"{gap:+.2f} (`{name}`)"


def minus_static(recipe, data):
    ours, static = accuracies(recipe, data, "g0-3"), accuracies("static", data, "g0-3")
    return f"{mean(ours) - mean(static):+.2f}" if ours and static else "not trained"


def gaps_to_float(data):
    gaps = [a - b for name, run in RUNS.items() if run and f"_{data}_" in name
            for a, b in run["points"].values()]
    return f"mean {mean(gaps):+.3f}, worst {min(gaps):+.2f}" if gaps else "not trained"


def table(head, rows):
    lines = ["| " + " | ".join(head) + " |", "|" + "---|" * len(head)]
    return lines + ["| " + " | ".join(row) + " |" for row in rows]


# Label, recipe, point, target on MNIST, on Fashion-MNIST.
FIGURES = [
    ("Static", "static", "g0-3", "", ""),
    ("combined `g0-3`, two devices", "fluid2", "g0-3", "≥ 99.1", "≥ 91.0"),
    ("combined by added logits `g0+1,2+3`", "fluid2", "g0+1,2+3", "", ""),
    ("lower half `g0+1`", "fluid2", "g0+1", "≥ 98.7", "≥ 90.0"),
    ("upper half `g2+3`", "fluid2", "g2+3", "≥ 98.7", "≥ 90.0"),
    ("three quarters `g0-2`", "fluid2", "g0-2", "", ""),
    ("lower quarter `g0`", "fluid2", "g0", "≥ 98.2", "≥ 88.3"),
    ("upper quarter `g2`", "fluid2", "g2", "≥ 98.2", "≥ 88.3"),
    ("combined `g0-3`, four devices", "fluid4", "g0-3", "", ""),
    ("combined by added logits `g0,1,2,3`", "fluid4", "g0,1,2,3", "", ""),
    ("worst quarter", "fluid4", lambda run: worst(run, 1), "≥ 98.2", "≥ 88.3"),
    ("worst pair", "fluid4", lambda run: worst(run, 2), "≥ 98.7", "≥ 90.0"),
    ("worst of the 15 subsets", "fluid4", worst, "≥ 98.0", "≥ 87.0"),
]
# Label, recipes, function of recipe and data, target on MNIST, on Fashion-MNIST by recipe.
COMPARISONS = [
    ("combined minus Static, means", minus_static, "≥ −0.15", ("≥ −0.4", "≥ −0.6")),
    ("worst sub-network minus its width alone, means", minus_alone, "≥ −0.3",
     ("≥ −0.5", "≥ −0.5")),
    ("least gain by adding a group",
     lambda recipe, data: shown(recipe, data, least_gain, "{:+.2f}"), "≥ −0.2",
     ("≥ −0.2", "≥ −0.2")),
]
INTEGERS = "integer minus float (same bounds, nothing rounded), all points"


def asked(point):
    return lambda run: run["asked"][point]


COMPETITORS = [
    ("quarter alone", "alone1", "g0"), ("half alone", "ensemble2", "g0+1"),
    ("half alone, another initialization", "ensemble2", "g2+3"),
    ("three quarters alone", "alone3", "g0-2"),
    ("two independent halves, logits averaged", "ensemble2", "g0+1,2+3"),
    ("Dynamic, 25 %", "dynamic", "g0"), ("Dynamic, 50 %", "dynamic", "g0+1"),
    ("Dynamic, 75 %", "dynamic", "g0-2"), ("Dynamic, 100 %", "dynamic", "g0-3"),
    ("Dynamic, upper half asked alone", "dynamic", asked("g2+3")),
    ("Static, half `g0+1` asked alone", "static", asked("g0+1")),
    ("Static, half `g2+3` asked alone", "static", asked("g2+3")),
]


def targets():
    rows = [(label, f"`{recipe}`", m, shown(recipe, "mnist", point),
             f, shown(recipe, "fashion-mnist", point))
            for label, recipe, point, m, f in FIGURES]
    for label, value, mnist, fashion in COMPARISONS:
        for recipe, wanted in zip(("fluid2", "fluid4"), fashion):
            rows.append((label, f"`{recipe}`", mnist, value(recipe, "mnist"),
                         wanted, value(recipe, "fashion-mnist")))
    rows.append((INTEGERS, "all", "0.1, 0.3", gaps_to_float("mnist"),
                 "0.1, 0.3", gaps_to_float("fashion-mnist")))
    return table(("", "recipe", "MNIST target", "MNIST", "Fashion target", "Fashion-MNIST"), rows)


def competitors():
    return table(("", "recipe", "MNIST", "Fashion-MNIST"),
                 [(label, f"`{recipe}`", *(shown(recipe, d, point) for d in DATA))
                  for label, recipe, point in COMPETITORS])


def four_devices(data):
    runs = runs_of("fluid4", data)
    if not runs:
        return ["Not trained."]
    return table(("point", "MMAC", "weight bytes", "accuracy"),
                 [(f"`{point}`", f"{macs / 1e6:.3f}", str(size),
                   shown("fluid4", data, point))
                  for point, (macs, size) in runs[0]["cost"].items()])


def cifar():
    """The rows of both tables above, for the one data set without targets."""
    data = "cifar10"
    rows = [(label, f"`{recipe}`", shown(recipe, data, point))
            for label, recipe, point, _, _ in FIGURES]
    rows += [(label, f"`{recipe}`", value(recipe, data))
             for label, value, _, _ in COMPARISONS for recipe in ("fluid2", "fluid4")]
    rows.append((INTEGERS, "all", gaps_to_float(data)))
    rows += [(label, f"`{recipe}`", shown(recipe, data, point))
             for label, recipe, point in COMPETITORS]
    return table(("", "recipe", "CIFAR-10"), rows)


def settings():
    """Held-out accuracies of each family by learning rate and batch."""
    columns, cells = [], {}
    for name, run in HELD.items():
        match = re.fullmatch(r"(\w+)_lr([\d.e-]+)_b(\d+)", name)
        if not match or not run:
            continue
        column = (int(match[3]), float(match[2]))
        columns.append(column)
        subs = [a for _, a in single(run).values()]
        best = run["points"].get("g0-3") or run["points"]["g0+1,2+3"]
        cells[match[1], column] = f"{best[0]:.2f}, {mean(subs):.2f}"
    columns = sorted(set(columns), key=lambda c: (-c[0], c[1]))
    head = ["recipe"] + [f"rate {rate:g}, batch {batch}" for batch, rate in columns]
    return table(head, [[f"`{recipe}`"] + [cells.get((recipe, c), "") for c in columns]
                        for recipe in ("static", "dynamic", "fluid2", "fluid4", "ensemble2")])


def policies():
    points = ("g0", "g2", "g0+1", "g2+3", "g0-2", "g0-3", "g0+1,2+3")
    labels = json.loads((LOGS / "held-out/policies.json").read_text())
    rows = []
    for name, (label, options) in labels.items():
        run = HELD.get(name)
        if run:
            values = [run["points"][p][0] for p in points]
            rows.append((label, f"`{options}`", *(f"{v:.2f}" for v in values),
                         f"{mean(values):.2f}"))
    return table(("policy", "options", *(f"`{p}`" for p in points), "mean"), rows)


TABLES = {"targets": targets, "competitors": competitors, "cifar10": cifar, "settings": settings,
          "policies": policies, "points mnist": lambda: four_devices("mnist"),
          "points fashion-mnist": lambda: four_devices("fashion-mnist")}


def main():
    page = PAGE.read_text()
    new = page
    for name, make in TABLES.items():
        begin = f"<!-- table: {name} -->\n"
        if begin not in new:
            sys.exit(f"{PAGE}: has no place for the table '{name}'")
        head, rest = new.split(begin, 1)
        _, tail = rest.split("<!-- end -->", 1)
        new = head + begin + "\n".join(make()) + "\n<!-- end -->" + tail
    if "--check" in sys.argv[1:]:
        sys.exit(0 if new == page else f"{PAGE}: differs from the logs")
    PAGE.write_text(new)


if __name__ == "__main__":
    main()
