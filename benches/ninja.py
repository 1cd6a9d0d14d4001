#!/usr/bin/env python3
"""What a graph of trivial nodes costs under jalon and under ninja: a first run, and runs with nothing to do.

The same graph is written twice, as jalon.toml and as build.ninja: LAYERS × WIDTH nodes, each reading two of
the layer above and writing one small file; one node of the last layer reads a source of its own besides. Whole processes are measured, from start to exit, children
included, the two tools alternating, so that what else the machine does falls on both. What counts is CPU
time, user and system: on a machine that others use, wall time says more about them. Medians of it, and of
the ratios of the pairs, are printed.

nothing to do    nothing has changed since the last run
touched          the source has another modification time and the same bytes; ninja makes everything again,
                 so that jalon stands alone
one changed      the source of that one node has other bytes: both make it again
read again       nothing has changed, and jalon is told not to go by what it kept of the last run

Of runs with nothing to do the largest resident set is printed too.

    python3 benches/ninja.py --jalon target/release/jalon --sizes 10x10 100x100 100x1000
"""

import argparse
import json
import os
import platform
import resource
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
            if (layer, column) == (layers - 1, 0):
                inputs.append("tip")
            yield f"n{layer}_{column}", inputs, f"out/{layer}/{column}.txt"


def write_jalon(directory, layers, width):
    lines = ["[source]", 'seed = "seed.txt"', 'tip = "tip.txt"']
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
    write_sources(directory)


def write_ninja(directory, layers, width):
    paths = {"seed": "seed.txt", "tip": "tip.txt"}
    lines = ["rule make", "  command = head -qc 16 $in > $out"]
    for name, inputs, output in graph(layers, width):
        paths[name] = output
        lines.append(f"build {output}: make {' '.join(paths[it] for it in inputs)}")
    (directory / "build.ninja").write_text("\n".join(lines) + "\n")
    write_sources(directory)


def write_sources(directory):
    (directory / "seed.txt").write_text("seed\n")
    (directory / "tip.txt").write_text("0\n")


def forget(directory):
    for name in ["out", ".jalon", ".ninja_log", ".ninja_deps"]:
        path = directory / name
        if path.is_dir():
            shutil.rmtree(path)
        elif path.exists():
            path.unlink()


KINDS = ["first run", "nothing to do", "touched", "one changed", "read again"]


def measure_one(command, directory):
    """(CPU seconds, MB): with its children's time, and its own largest resident set."""
    with open(os.devnull, "w") as sink:
        process = subprocess.Popen(command, cwd=directory, stdin=subprocess.DEVNULL, stdout=sink)
        _, status, usage = os.wait4(process.pid, 0)
        process.returncode = os.waitstatus_to_exitcode(status)
    if process.returncode != 0:
        sys.exit(f"{' '.join(command)} ended with {process.returncode}")
    return usage.ru_utime + usage.ru_stime, usage.ru_maxrss / 1024


def cost(command, directory):
    """(CPU seconds, wall seconds) of a process and its children."""
    before, start = resource.getrusage(resource.RUSAGE_CHILDREN), time.perf_counter()
    done = subprocess.run(command, cwd=directory, stdin=subprocess.DEVNULL, capture_output=True, text=True)
    after, end = resource.getrusage(resource.RUSAGE_CHILDREN), time.perf_counter()
    if done.returncode != 0:
        sys.exit(f"{' '.join(command)} ended with {done.returncode}:\n{done.stdout[-2000:]}\n{done.stderr[-2000:]}")
    return after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime, end - start


def measure(base, tools, args):
    """By tool and kind: the costs of each turn."""
    costs = {(name, kind): [] for name in tools for kind in KINDS}

    def turn(kind, names, number, prepare):
        for name in names[:: 1 if number % 2 == 0 else -1]:
            prepare(base / name)
            costs[name, kind].append(cost(tools[name][0], base / name))

    for number in range(args.cold):
        turn("first run", list(tools), number, forget)
    for name, (command, _) in tools.items():
        for _ in range(2):
            cost(command, base / name)  # warms the caches of both
    for number in range(args.null):
        turn("nothing to do", list(tools), number, lambda _: None)
    for number in range(args.null):
        turn("touched", ["jalon"], number, lambda directory: (directory / "seed.txt").touch())
    for number in range(args.null):
        turn("one changed", list(tools), number, lambda directory: (directory / "tip.txt").write_text(f"{number + 1}\n"))
    for number in range(args.null):
        turn("read again", ["jalon"], number, lambda directory: shutil.rmtree(directory / ".jalon/settled"))
    return costs


def report(nodes, costs):
    print(f"{nodes} nodes{'':8} {'jalon':>10} {'ninja':>10} {'ratio':>7}   pairs, range of the ratio")
    for kind in KINDS:
        jalon = [cpu for cpu, _ in costs["jalon", kind]]
        ninja = [cpu for cpu, _ in costs["ninja", kind] or costs["ninja", "nothing to do"]]
        if not jalon or not ninja:
            continue
        ratios = sorted(a / max(b, 0.001) for a, b in zip(jalon, ninja))
        print(
            f"{kind:16} {statistics.median(jalon):9.4f}s {statistics.median(ninja):9.4f}s "
            f"{statistics.median(ratios):6.2f}×   {len(ratios)}, {ratios[0]:.2f}–{ratios[-1]:.2f}",
            flush=True,
        )


def size(text):
    layers, width = text.split("x")
    return int(layers), int(width)


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--jalon", default="target/release/jalon")
    parser.add_argument("--ninja", default="ninja")
    parser.add_argument("--sizes", type=size, nargs="+", default=[(10, 10), (100, 100)], metavar="LAYERSxWIDTH")
    parser.add_argument("--cold", type=int, default=1, help="pairs of first runs")
    parser.add_argument("--null", type=int, default=15, help="pairs of runs with nothing to do")
    parser.add_argument("--jobs", type=int, default=os.cpu_count())
    parser.add_argument("--dir", type=Path, help="where to work (default: a temporary directory, removed at the end)")
    parser.add_argument("--json", action="store_true", help="every measurement, as one JSON object a size")
    args = parser.parse_args()
    if shutil.which(args.ninja) is None:
        sys.exit("ninja is not installed (Debian: ninja-build)")
    if shutil.which(args.jalon) is None:
        sys.exit(f"{args.jalon} is not there: cargo build --release")

    tools = {
        "jalon": ([str(Path(shutil.which(args.jalon)).resolve()), "run", "-q", "-j", str(args.jobs)], write_jalon),
        "ninja": ([args.ninja, "--quiet", "-j", str(args.jobs)], write_ninja),
    }
    print(f"{args.jobs} jobs, {platform.machine()}, CPU seconds (user and system)")
    for layers, width in args.sizes:
        base = Path(tempfile.mkdtemp(dir=args.dir))
        try:
            for name, (_, write) in tools.items():
                (base / name).mkdir()
                write(base / name, layers, width)
            costs = measure(base, tools, args)
            for name, (command, _) in tools.items():
                cost(command, base / name)
            held = {name: measure_one(command, base / name)[1] for name, (command, _) in tools.items()}
        finally:
            shutil.rmtree(base)
        if args.json:
            flat = {f"{name}, {kind}": values for (name, kind), values in costs.items()}
            print(json.dumps({"nodes": layers * width, "jobs": args.jobs, "machine": platform.platform(), **flat}))
        else:
            report(layers * width, costs)
            print(f"memory           {held['jalon']:8.0f} MB {held['ninja']:8.0f} MB, nothing to do")


if __name__ == "__main__":
    main()
