#!/usr/bin/env python3
"""A DVC project under DVC and under jalon, which reads dvc.yaml and dvc.lock: a first run, and one with nothing to do.

A chain of --stages stages in a git repository, each a `cat`. Whole processes, children included, in turns; medians and
the range of the ratios. The overhead of a stage is what a first run takes beyond the same commands in a shell.

    python3 benches/dvc.py --jalon target/release/jalon --dvc "$(dirname "$(tests/real/dvc/get)")/dvc"
"""

import argparse
import shutil
import statistics
import subprocess
import sys
import tempfile
from pathlib import Path

import ninja


def write(directory, stages):
    lines = ["stages:"]
    for number in range(stages):
        source = "seed.txt" if number == 0 else f"out{number - 1}.txt"
        lines += [
            f"  make{number}:",
            f"    cmd: cat {source} > out{number}.txt",
            f"    deps: [{source}]",
            f"    outs: [out{number}.txt]",
        ]
    (directory / "dvc.yaml").write_text("\n".join(lines) + "\n")
    (directory / "seed.txt").write_text("seed\n")
    (directory / "all.sh").write_text("\n".join(line.split("cmd: ")[1] for line in lines if "cmd: " in line) + "\n")


def forget(directory):
    for path in directory.iterdir():
        if path.name.startswith("out") or path.name in ("dvc.lock", ".jalon"):
            shutil.rmtree(path) if path.is_dir() else path.unlink()
    shutil.rmtree(directory / ".dvc/cache", ignore_errors=True)
    shutil.rmtree(directory / ".dvc/tmp", ignore_errors=True)


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--jalon", default="target/release/jalon")
    parser.add_argument("--dvc", default="dvc")
    parser.add_argument("--stages", type=int, default=20)
    parser.add_argument("--rounds", type=int, default=5)
    args = parser.parse_args()
    for tool in (args.jalon, args.dvc):
        if shutil.which(tool) is None:
            sys.exit(f"{tool} is not there")
    jalon, dvc = (str(Path(shutil.which(tool)).absolute()) for tool in (args.jalon, args.dvc))
    base = Path(tempfile.mkdtemp())
    costs = {}
    try:
        for name in ("dvc", "jalon"):
            (base / name).mkdir()
            write(base / name, args.stages)
        for command in (["git", "init", "-q"], [dvc, "init", "-q"]):
            subprocess.run(command, cwd=base / "dvc", check=True)
        subprocess.run(["git", "init", "-q"], cwd=base / "jalon", check=True)
        commands = {"dvc": [dvc, "repro", "-q"], "jalon": [jalon, "run", "-q", "-j", "1"]}
        for number in range(args.rounds):
            for name in list(commands)[:: 1 if number % 2 == 0 else -1]:
                forget(base / name)
                costs.setdefault((name, "first run"), []).append(ninja.cost(commands[name], base / name))
                costs.setdefault((name, "commands"), []).append(ninja.cost(["sh", "all.sh"], base / name))
                ninja.cost(commands[name], base / name)
                costs.setdefault((name, "nothing to do"), []).append(ninja.cost(commands[name], base / name))
    finally:
        shutil.rmtree(base)
    middle = {key: [statistics.median(it[at] for it in found) for at in (0, 1)] for key, found in costs.items()}
    for kind in ("first run", "nothing to do"):
        for at, what in ((0, "CPU"), (1, "wall")):
            a, b = middle["jalon", kind][at], middle["dvc", kind][at]
            ratios = sorted(x[at] / max(y[at], 1e-3) for x, y in zip(costs["jalon", kind], costs["dvc", kind]))
            print(f"{kind}: {what} jalon {a:.4f} s, DVC {b:.3f} s: {a / b:.4f}× ({ratios[0]:.4f}–{ratios[-1]:.4f})")
    overhead = {
        name: (middle[name, "first run"][1] - middle[name, "commands"][1]) / args.stages * 1000 for name in ("jalon", "dvc")
    }
    print("overhead of a stage, wall: " + ", ".join(f"{name} {each:.1f} ms" for name, each in overhead.items()))


if __name__ == "__main__":
    main()
