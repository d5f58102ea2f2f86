#!/usr/bin/env python3
"""Writes the tables of docs/results/cluster.md from the JSON of `braid bench cluster`.

  tools/cluster_tables.py [FILE...]      (docs/results/json/cluster_*.json)

A table stands between `<!-- table: NAME -->` and `<!-- end -->`: "rates NETWORK" has images per
second and ratios, "latency NETWORK" the median time of one image where one device has
images and keeps one request open.
"""
import json
import pathlib
import re
import sys

ROOT = pathlib.Path(__file__).resolve().parent.parent
PAGE = ROOT / "docs/results/cluster.md"
WAYS = ("single", "replicated", "static", "dynamic", "fluid_ha", "fluid_sum", "fluid_ht")
NAMES = ("single", "replicated", "Static", "Dynamic", "Fluid HA", "Fluid sum", "Fluid HT")


def table(head, rows):
    lines = [head, ["---"] * len(head), *rows]
    return "\n".join("| " + " | ".join(line) + " |" for line in lines)


def link(case):
    rate = "–" if case["rate_mbit"] is None else f"{case['rate_mbit']:g}"
    first, second = case["cpu_share"], case["cpu_share_b"]
    speed = f"{first:g}" if first == second else f"{first:g}, {second:g}"
    return [f"{case['delay_ms']:g}", rate, speed, case["kernels"]]


def rates(cases):
    def ratio(case, key):
        r = case["ratios"][key]
        if r["median"] == 0:  # no request ended within the window
            return "–"
        return f"{r['median']:.2f} ({r['min']:.2f}–{r['max']:.2f})"

    head = ["delay ms", "Mbit/s", "speed", "kernels", "open", *NAMES,
            "HT / Static", "HT / Dynamic", "HA / Static"]
    return table(head, [
        [*link(c), str(c["in_flight"]), *(f"{c[way + '_ips']:,.0f}" if c[way + "_ips"] else "–" for way in WAYS),
         *(ratio(c, key) for key in
           ("fluid_ht_to_static", "fluid_ht_to_dynamic", "fluid_ha_to_static"))]
        for c in cases if c.get("sources", 2) == 2])


def latency(cases):
    head = ["delay ms", "Mbit/s", "speed", "kernels", *NAMES]
    return table(head, [
        [*link(c), *(f"{c['ways'][way]['p50_us'] / 1000:.2f}" for way in WAYS)]
        for c in cases if c.get("sources", 2) == 1])


def main():
    files = sys.argv[1:] or sorted((ROOT / "docs/results/json").glob("cluster_*.json"))
    cases = [case for file in files for case in json.loads(pathlib.Path(file).read_text())["cases"]]

    def filled(match):
        kind, network = match[1], match[2]
        chosen = [c for c in cases if c["network"] == network]
        if not chosen:
            return match[0]
        text = {"rates": rates, "latency": latency}[kind](chosen)
        return f"<!-- table: {kind} {network} -->\n{text}\n<!-- end -->"

    page = PAGE.read_text()
    page = re.sub(r"<!-- table: (rates|latency) (\S+) -->\n.*?<!-- end -->", filled, page,
                  flags=re.DOTALL)
    PAGE.write_text(page)


if __name__ == "__main__":
    main()
