#!/usr/bin/env python3
"""What a graph of trivial nodes costs under jalon and under ninja: a first run, and one with nothing to do.

The same graph is written twice, as jalon.toml and as build.ninja: LAYERS × WIDTH nodes, each reading two of
the layer above and writing one small file. Whole processes are timed, from start to exit, the two tools
alternating, so that what else the machine does falls on both. Medians and ratios are printed.

    python3 benches/ninja.py --jalon target/release/jalon
"""

import argparse
import json
import os
import platform
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path


def graph(layers, width):
    """(name, input names, output path) in topological order; the first layer reads the source."""
    for layer in range(layers):
        for column in range(width):
            if layer == 0:
                inputs = ["seed"]
            else:
                inputs = [f"n{layer - 1}_{column}", f"n{layer - 1}_{(column + 1) % width}"]
            yield f"n{layer}_{column}", inputs, f"out/{layer}/{column}.txt"


def write_jalon(directory, layers, width):
    lines = ["[source]", 'seed = "seed.txt"']
    for name, inputs, output in graph(layers, width):
        # `head` keeps the files small however deep the graph is.
        words = " ".join("{{in.%s}}" % it for it in inputs)
        lines += [
            f"[node.make_{name}]",
            f'cmd = "head -qc 16 {words} > {{{{out.{name}}}}}"',
            f"in = {json.dumps(inputs)}",
            f'out = {{ {name} = "{output}" }}',
        ]
    (directory / "jalon.toml").write_text("\n".join(lines) + "\n")
    (directory / "seed.txt").write_text("seed\n")


def write_ninja(directory, layers, width):
    paths = {"seed": "seed.txt"}
    lines = ["rule make", "  command = head -qc 16 $in > $out"]
    for name, inputs, output in graph(layers, width):
        paths[name] = output
        lines.append(f"build {output}: make {' '.join(paths[it] for it in inputs)}")
    (directory / "build.ninja").write_text("\n".join(lines) + "\n")
    (directory / "seed.txt").write_text("seed\n")


def forget(directory):
    for name in ["out", ".jalon", ".ninja_log", ".ninja_deps"]:
        path = directory / name
        if path.is_dir():
            shutil.rmtree(path)
        elif path.exists():
            path.unlink()


def seconds(command, directory):
    start = time.perf_counter()
    done = subprocess.run(command, cwd=directory, stdin=subprocess.DEVNULL, capture_output=True, text=True)
    elapsed = time.perf_counter() - start
    if done.returncode != 0:
        sys.exit(f"{' '.join(command)} ended with {done.returncode}:\n{done.stdout[-2000:]}\n{done.stderr[-2000:]}")
    return elapsed


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--jalon", default="target/release/jalon")
    parser.add_argument("--ninja", default="ninja")
    parser.add_argument("--layers", type=int, default=100)
    parser.add_argument("--width", type=int, default=100)
    parser.add_argument("--cold", type=int, default=3, help="pairs of first runs")
    parser.add_argument("--null", type=int, default=15, help="pairs of runs with nothing to do")
    parser.add_argument("--jobs", type=int, default=os.cpu_count())
    parser.add_argument("--dir", type=Path, help="where to work (default: a temporary directory, removed at the end)")
    parser.add_argument("--json", action="store_true", help="every measurement, as one JSON object")
    args = parser.parse_args()
    if shutil.which(args.ninja) is None:
        sys.exit("ninja is not installed (Debian: ninja-build)")
    if shutil.which(args.jalon) is None:
        sys.exit(f"{args.jalon} is not there: cargo build --release")

    base = Path(tempfile.mkdtemp(dir=args.dir))
    tools = {
        "jalon": ([str(Path(shutil.which(args.jalon)).resolve()), "run", "-q", "-j", str(args.jobs)], write_jalon),
        "ninja": ([args.ninja, "--quiet", "-j", str(args.jobs)], write_ninja),
    }
    try:
        for name, (_, write) in tools.items():
            (base / name).mkdir()
            write(base / name, args.layers, args.width)
        times = {(name, kind): [] for name in tools for kind in ["cold", "null"]}
        for turn in range(args.cold):
            for name, (command, _) in list(tools.items())[:: 1 if turn % 2 == 0 else -1]:
                forget(base / name)
                times[name, "cold"].append(seconds(command, base / name))
        for name, (command, _) in tools.items():
            seconds(command, base / name)  # warms the caches of both
        for turn in range(args.null):
            for name, (command, _) in list(tools.items())[:: 1 if turn % 2 == 0 else -1]:
                times[name, "null"].append(seconds(command, base / name))
    finally:
        shutil.rmtree(base)

    nodes = args.layers * args.width
    if args.json:
        flat = {f"{name}_{kind}": values for (name, kind), values in times.items()}
        print(json.dumps({"nodes": nodes, "jobs": args.jobs, "machine": platform.platform(), **flat}))
        return
    print(f"{nodes} nodes ({args.layers} layers of {args.width}), {args.jobs} jobs, {platform.machine()}")
    print(f"{'':14} {'jalon':>10} {'ninja':>10} {'ratio':>7}   pairs, range of the ratio")
    for kind, title in [("cold", "first run"), ("null", "nothing to do")]:
        jalon, ninja = times["jalon", kind], times["ninja", kind]
        ratios = sorted(a / b for a, b in zip(jalon, ninja))
        print(
            f"{title:14} {statistics.median(jalon):9.3f}s {statistics.median(ninja):9.3f}s "
            f"{statistics.median(ratios):6.2f}×   {len(ratios)}, {ratios[0]:.2f}–{ratios[-1]:.2f}"
        )


if __name__ == "__main__":
    main()
