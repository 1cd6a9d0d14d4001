"""Handing data from node to node in a Kedro project: slow storage, and a frame of 1 GB between two processes.

    cargo build --release && tests/real/kedro/get && python3 benches/hand_on.py --jalon target/release/jalon --python PYTHON

PYTHON is what `tests/real/kedro/get` prints. Slow storage is a pickle dataset that sleeps whenever it is loaded or saved; five nodes in a
chain work for a while each. Kedro's runners read what was just written; jalon does so too without `tee`, and hands on in memory with it. The frame
is in memory under Kedro: its sequential runner hands it on as it is, its parallel one and jalon between processes. Memory is the largest sum of what the processes of
the tree hold, each shared page once (PSS), sampled every 20 ms. The tools take turns; medians.
"""

import argparse
import os
import pathlib
import shutil
import statistics
import subprocess
import tempfile
import threading
import time

SETTINGS = '"""Nothing is set."""\n'
PROJECT = """[tool.kedro]
package_name = "hand"
project_name = "hand"
kedro_init_version = "1.0.0"
source_dir = "src"
"""
SLOW = """import time
from kedro_datasets.pickle import PickleDataset


class SlowDataset(PickleDataset):
    def load(self):
        time.sleep({slow})
        return super().load()

    def save(self, data):
        time.sleep({slow})
        super().save(data)
"""
REGISTRY = '''import time

import numpy as np
import pandas as pd
from kedro.pipeline import Pipeline, node


def begin():
    time.sleep({work})
    return [0]


def go_on(data):
    time.sleep({work})
    return data + [len(data)]


def make():
    return pd.DataFrame({{f"c{{at}}": np.full({rows}, float(at)) for at in range(8)}})


def use(frame):
    return float(frame["c7"].sum())


def register_pipelines():
    chain = [node(begin, None, "d0", name="n0")]
    chain += [node(go_on, f"d{{at}}", f"d{{at + 1}}", name=f"n{{at + 1}}") for at in range(4)]
    frame = [node(make, None, "frame", name="make"), node(use, "frame", "total", name="use")]
    return {{"chain": Pipeline(chain), "frame": Pipeline(frame), "__default__": Pipeline(chain)}}
'''
CATALOG = """"d{number}":
  type: hand.slow.SlowDataset
  filepath: data/d{number}.pkl

total:
  type: json.JSONDataset
  filepath: data/total.json
"""


def write(place, asked):
    for directory in ("src/hand", "conf/base", "conf/local", "data"):
        (place / directory).mkdir(parents=True, exist_ok=True)
    rows = int(asked.gigabytes * 1e9 / 64)
    texts = {
        "pyproject.toml": PROJECT,
        "src/hand/__init__.py": "",
        "src/hand/settings.py": SETTINGS,
        "src/hand/slow.py": SLOW.format(slow=asked.slow),
        "src/hand/pipeline_registry.py": REGISTRY.format(work=asked.work, rows=rows),
        "conf/base/catalog.yml": CATALOG,
    }
    for name, text in texts.items():
        (place / name).write_text(text)


def tree(pid):
    found, waiting = [], [pid]
    while waiting:
        one = waiting.pop()
        found.append(one)
        try:
            for task in pathlib.Path(f"/proc/{one}/task").iterdir():
                waiting += map(int, (task / "children").read_text().split())
        except OSError:
            pass
    return found


def held(pid):
    """Bytes that a process tree holds."""
    total = 0
    for one in tree(pid):
        try:
            for line in pathlib.Path(f"/proc/{one}/smaps_rollup").read_text().splitlines():
                if line.startswith("Pss:"):
                    total += int(line.split()[1]) * 1024
        except OSError:
            pass
    return total


def measured(command, place, env):
    """Wall seconds and the largest sum of memory."""
    shutil.rmtree(place / ".jalon", ignore_errors=True)
    shutil.rmtree(place / "data", ignore_errors=True)
    (place / "data").mkdir()
    began = time.perf_counter()
    running = subprocess.Popen(command, cwd=place, env=env, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
    most, over = [0], threading.Event()

    def sample():
        while not over.wait(0.02):
            most[0] = max(most[0], held(running.pid))

    sampler = threading.Thread(target=sample)
    sampler.start()
    said, _ = running.communicate()
    wall = time.perf_counter() - began
    over.set()
    sampler.join()
    if running.returncode != 0:
        raise SystemExit(f"{command}: {said}")
    return wall, most[0]


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--jalon", default="target/release/jalon")
    parser.add_argument("--python", required=True)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--slow", type=float, default=1.0, help="seconds to load or save")
    parser.add_argument("--work", type=float, default=0.2, help="seconds that a node works")
    parser.add_argument("--gigabytes", type=float, default=1.0, help="the frame")
    asked = parser.parse_args()
    python = pathlib.Path(asked.python).absolute()
    env = {**os.environ, "VIRTUAL_ENV": str(python.parent.parent), "PATH": f"{python.parent}:{os.environ['PATH']}", "DO_NOT_TRACK": "1"}
    env.pop("JALON_STORE", None)
    jalon = [str(pathlib.Path(asked.jalon).absolute()), "run", "-q"]
    kedro = [str(python.with_name("kedro")), "run"]
    runners = ["SequentialRunner", "ThreadRunner", "ParallelRunner"]
    ways = {}
    for runner in runners:
        ways[f"Kedro, {runner}"] = ("plain", [*kedro, f"--runner={runner}"])
    ways["jalon"] = ("plain", jalon)
    ways["jalon, tee"] = ("tee", jalon)
    found = {}
    with tempfile.TemporaryDirectory() as scratch:
        for kind in ("plain", "tee"):
            write(pathlib.Path(scratch, kind), asked)
        with pathlib.Path(scratch, "tee/pyproject.toml").open("a") as file:
            file.write('\n[tool.jalon.kedro]\ntee = ["d*"]\n')
        for _ in range(asked.rounds):
            for pipeline in ("chain", "frame"):
                for name, (kind, command) in ways.items():
                    if pipeline == "frame" and name == "jalon, tee":
                        continue
                    option = "--pipelines" if command[0] == jalon[0] else "--pipeline"
                    result = measured([*command, option, pipeline], pathlib.Path(scratch, kind), env)
                    found.setdefault(pipeline, {}).setdefault(name, []).append(result)
    compute = 5 * asked.work
    print(f"slow storage: 5 nodes in a chain of {asked.work} s each ({compute:.1f} s), {asked.slow} s to load or save; {asked.rounds} rounds\n")
    table(found["chain"], memory=False)
    print(f"\na frame of {asked.gigabytes} GB from one node to the next\n")
    table(found["frame"], memory=True)


def table(found, memory):
    first = statistics.median(wall for wall, _ in next(iter(found.values())))
    print("| | wall, s | ratio |" + (" memory, GB |" if memory else ""))
    print("|---|---:|---:|" + ("---:|" if memory else ""))
    for name, results in found.items():
        wall = statistics.median(wall for wall, _ in results)
        row = f"| {name} | {wall:.1f} | {wall / first:.2f}× |"
        if memory:
            row += f" {statistics.median(most for _, most in results) / 1e9:.2f} |"
        print(row)


if __name__ == "__main__":
    main()
