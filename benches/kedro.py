"""A Kedro project beside Kedro: nothing to do, one parameter changed, a first run.

    cargo build --release && tests/real/kedro/get && python3 benches/kedro.py --jalon target/release/jalon --python PYTHON

PYTHON is what `tests/real/kedro/get` prints. The project is examples/rookery without the node that prints: that one runs each time
under both. The tools take turns, each in a copy of its own; CPU time is user and system time of the whole process tree. Medians, the ratio jalon / Kedro, and its
range over the rounds.
"""

import argparse
import os
import pathlib
import resource
import shutil
import statistics
import subprocess
import tempfile
import time

HERE = pathlib.Path(__file__).resolve().parent
TARGETS = ["--to-nodes", "compare,plot,by_species,count_lines"]


def measured(command, place, env):
    before, began = resource.getrusage(resource.RUSAGE_CHILDREN), time.perf_counter()
    ended = subprocess.run(command, cwd=place, env=env, capture_output=True, text=True, check=False)
    wall, after = time.perf_counter() - began, resource.getrusage(resource.RUSAGE_CHILDREN)
    if ended.returncode != 0:
        raise SystemExit(f"{command}: {ended.stdout}{ended.stderr}")
    return (after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime, wall)


def fresh(place):
    for name in ("data/02_intermediate", "data/03_primary", "data/06_models", "data/08_reporting", ".jalon"):
        shutil.rmtree(place / name, ignore_errors=True)


def limit(place, number):
    file = place / "conf/base/parameters_reporting.yml"
    lines = file.read_text().splitlines()
    lines = [f"  limit: {number}" if line.startswith("  limit:") else line for line in lines]
    file.write_text("\n".join(lines) + "\n")


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--jalon", default="target/release/jalon")
    parser.add_argument("--python", required=True)
    parser.add_argument("--rounds", type=int, default=7)
    asked = parser.parse_args()
    python = pathlib.Path(asked.python).absolute()
    env = {
        **os.environ,
        "VIRTUAL_ENV": str(python.parent.parent),
        "PATH": f"{python.parent}:{os.environ['PATH']}",
        "DO_NOT_TRACK": "1",
    }
    env.pop("JALON_STORE", None)
    jalon = [str(pathlib.Path(asked.jalon).absolute()), "run", "-q", *TARGETS]
    kedro = [str(python.with_name("kedro")), "run", *TARGETS]
    missing = [*kedro, "--only-missing-outputs"]
    with tempfile.TemporaryDirectory() as scratch:
        places = {tool: pathlib.Path(scratch, tool) for tool in ("jalon", "kedro")}
        for place in places.values():
            shutil.copytree(HERE.parent / "examples/rookery", place, ignore=shutil.ignore_patterns(".jalon", "__pycache__"))
            fresh(place)
        found = {}
        for number in range(asked.rounds):
            steps = [
                ("a first run", fresh, jalon, kedro),
                ("nothing to do", lambda place: None, jalon, missing),
                ("a parameter of one node", lambda place: limit(place, 0.5 + number / 100), jalon, kedro),
                ("a comment in a module", lambda place: (place / "src/rookery/units.py").open("a").write("# x\n"), jalon, kedro),
            ]
            for name, prepare, *commands in steps:
                for tool, command in zip(("jalon", "kedro"), commands):
                    prepare(places[tool])
                    found.setdefault(name, {}).setdefault(tool, []).append(measured(command, places[tool], env))
    print(f"{asked.rounds} rounds, medians\n")
    print("| | jalon, CPU s | Kedro, CPU s | CPU, ratio (range) | jalon, wall s | Kedro, wall s | wall, ratio |")
    print("|---|---:|---:|---:|---:|---:|---:|")
    for name, both in found.items():
        row = [name]
        for at in (0, 1):
            ours, theirs = ([one[at] for one in both[tool]] for tool in ("jalon", "kedro"))
            ratios = sorted(a / b for a, b in zip(ours, theirs))
            ratio = f"{statistics.median(ratios):.3f}×"
            if at == 0:
                ratio += f" ({ratios[0]:.3f}–{ratios[-1]:.3f})"
            row += [f"{statistics.median(ours):.3f}", f"{statistics.median(theirs):.2f}", ratio]
        print("| " + " | ".join(row) + " |")


if __name__ == "__main__":
    main()
