#!/usr/bin/env python3
"""How time and memory grow with the number of nodes, and edges: two to each node.

For each size the graph of `ninja.py`, LAYERS × WIDTH nodes that read two of the layer above: a plan where nothing is known,
a first run, a run with nothing to do, the same gone through (`rm -r .jalon/settled`), and one source of one node changed.
CPU seconds, children included, and the largest resident set of jalon, as a table and, with --svg, as a picture: microseconds a node
over nodes. A line that is level grows linearly. Of sizes above --run only the plan is made: there a first run takes hours.

    python3 benches/growth.py --jalon target/release/jalon --svg docs/growth.svg
"""

import argparse
import shutil
import sys
import tempfile
import time
from pathlib import Path

import ninja

KINDS = ["plan", "first run", "nothing to do", "gone through", "one changed"]


def one(jalon, base, layers, width, runs):
    directory = Path(tempfile.mkdtemp(dir=base))
    ninja.write_jalon(directory, layers, width)
    run = [jalon, "run", "-q"]
    found = {"plan": ninja.measure_one([jalon, "plan", "-q"], directory)}
    if runs:
        found["first run"] = ninja.measure_one(run, directory)
        ninja.measure_one(run, directory)
        time.sleep(0.1)
        ninja.measure_one(run, directory)
        found["nothing to do"] = ninja.measure_one(run, directory)
        shutil.rmtree(directory / ".jalon/settled")
        found["gone through"] = ninja.measure_one(run, directory)
        (directory / "tip.txt").write_text("b\n")
        found["one changed"] = ninja.measure_one(run, directory)
    shutil.rmtree(directory)
    return found


def svg(sizes, rows):
    """Microseconds a node over nodes, both logarithmic."""
    import math

    left, top, wide, high = 70, 30, 560, 320
    x = lambda nodes: left + wide * (math.log10(nodes) - 3) / 3
    y = lambda micros: top + high * (1 - (math.log10(max(micros, 0.5)) + 0.3) / 4.3)
    parts = [
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {left + wide + 130} {top + high + 60}" '
        'font-family="sans-serif" font-size="13">',
        '<rect width="100%" height="100%" fill="white"/>',
    ]
    for power in range(3, 7):
        at = x(10**power)
        parts += [
            f'<line x1="{at}" y1="{top}" x2="{at}" y2="{top + high}" stroke="#ddd"/>',
            f'<text x="{at}" y="{top + high + 20}" text-anchor="middle">{10**power:,}</text>',
        ]
    for power in range(0, 5):
        at = y(10**power)
        parts += [
            f'<line x1="{left}" y1="{at}" x2="{left + wide}" y2="{at}" stroke="#ddd"/>',
            f'<text x="{left - 8}" y="{at + 4}" text-anchor="end">{10**power:,}</text>',
        ]
    middle = left + wide / 2
    labels = []
    parts += [
        f'<text x="{middle}" y="{top + high + 45}" text-anchor="middle">nodes</text>',
        f'<text x="{left}" y="{top - 10}">CPU microseconds a node</text>',
    ]
    for kind, colour in zip(KINDS, ["#1b6ca8", "#b5462f", "#2e8b57", "#8a5fa8", "#c08a1e"]):
        points = [(x(size), y(rows[size][kind][0] / size * 1e6)) for size in sizes if kind in rows[size]]
        if not points:
            continue
        line = " ".join(f"{a:.1f},{b:.1f}" for a, b in points)
        parts.append(f'<polyline points="{line}" fill="none" stroke="{colour}" stroke-width="2"/>')
        parts += [f'<circle cx="{a:.1f}" cy="{b:.1f}" r="3" fill="{colour}"/>' for a, b in points]
        labels.append((points[-1][1] + 4, points[-1][0] + 8, kind, colour))
    last = 0
    for b, a, kind, colour in sorted(labels):
        last = max(b, last + 15)
        parts.append(f'<text x="{a:.1f}" y="{last:.1f}" fill="{colour}">{kind}</text>')
    return "\n".join([*parts, "</svg>", ""])


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--jalon", default="target/release/jalon")
    parser.add_argument("--sizes", type=ninja.size, nargs="+", metavar="LAYERSxWIDTH")
    parser.add_argument("--run", type=int, default=100_000, help="largest number of nodes that are run")
    parser.add_argument("--svg", type=Path)
    parser.add_argument("--dir", type=Path, help="where to work (default: a temporary directory, removed at the end)")
    args = parser.parse_args()
    if shutil.which(args.jalon) is None:
        sys.exit(f"{args.jalon} is not there: cargo build --release")
    jalon = str(Path(shutil.which(args.jalon)).resolve())
    shapes = args.sizes or [(10, 100), (100, 100), (100, 1000), (1000, 1000)]
    rows = {}
    base = Path(tempfile.mkdtemp(dir=args.dir))
    try:
        for layers, width in shapes:
            size = layers * width
            rows[size] = one(jalon, base, layers, width, size <= args.run)
            for kind, (cpu, memory) in rows[size].items():
                print(f"{size:9,} {kind:14} {cpu:9.3f} s {cpu / size * 1e6:9.1f} µs a node {memory:8.0f} MB", flush=True)
    finally:
        shutil.rmtree(base)
    if args.svg:
        args.svg.write_text(svg(sorted(rows), rows))


if __name__ == "__main__":
    main()
