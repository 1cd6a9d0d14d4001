#!/usr/bin/env python3
"""What it costs to observe a node, beside other ways to observe a process.

    cargo build --release && python3 benches/tracing.py --jalon target/release/jalon --python PYTHON

PYTHON is an interpreter that has pandas and scikit-learn (else that workload is left out). Each way runs each
workload in turn, round by round; CPU time is user and system time of the whole process tree, the observer
included. Ratios are to the same workload run bare in the same round; the median over rounds is printed.
Ways that are not on the machine are left out and named.
"""

import argparse
import os
import resource
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

HERE = Path(__file__).resolve().parent

COMPILE = "int main(void) { return 0; }\n"


def workloads(python, directory):
    (directory / "one.c").write_text("".join(f"#include <{h}.h>\n" for h in HEADERS) + COMPILE)
    all = {
        "cc of one file with 12 headers": "cc -O1 -c -o /dev/null one.c",
        "sh script of 200 small commands": "i=0; while [ $i -lt 200 ]; do cat one.c >/dev/null; i=$((i+1)); done",
        "python3 -c 'import json, csv, argparse'": "python3 -c 'import json, csv, argparse'",
    }
    if python and subprocess.run([python, "-c", "import pandas, sklearn"], capture_output=True).returncode == 0:
        all["import pandas, sklearn.linear_model"] = f"{python} -c 'import pandas, sklearn.linear_model'"
    return all


HEADERS = "stdio stdlib string math time errno signal unistd fcntl dirent ctype locale".split()


def ways(jalon, directory):
    """By name: a function from a shell command to the words to execute."""
    found = {"bare": lambda command: ["sh", "-ceu", command]}
    for name, isolation in [("jalon, isolation = none", "none"), ("jalon, isolation = trace", "trace")]:
        found[name] = project(jalon, directory, isolation)
    preload = directory / "preload.so"
    if shutil.which("cc") and subprocess.run(
        ["cc", "-O2", "-shared", "-fPIC", "-o", preload, HERE / "tracing/preload.c", "-ldl"]
    ).returncode == 0:
        found["LD_PRELOAD"] = lambda command: ["env", f"LD_PRELOAD={preload}", "sh", "-ceu", command]
    if shutil.which("strace"):
        which = "trace=file"
        quiet = ["-f", "-q", "-e", which, "-o", "/dev/null"]
        found["ptrace, all calls (strace -f)"] = lambda command: ["strace", *quiet, "sh", "-ceu", command]
        found["ptrace, seccomp filter (strace -f --seccomp-bpf)"] = lambda command: [
            "strace", "--seccomp-bpf", *quiet, "sh", "-ceu", command]
    if os.geteuid() == 0 and shutil.which("fatrace"):
        found["fanotify (fatrace)"] = lambda command: ["sh", "-c", 'fatrace -o /dev/null & f=$!; sh -ceu "$1"; kill $f', "sh", command]
    return found


def project(jalon, directory, isolation):
    place = directory / isolation
    place.mkdir()

    def words(command):
        quoted = command.replace("\\", "\\\\").replace('"', '\\"')
        (place / "jalon.toml").write_text(
            f'[defaults]\nisolation = "{isolation}"\n[node.n]\ncmd = "cd .. && {quoted}"\ncache = true\n')
        return [jalon, "run", "-q", "-C", str(place), "--force", "n"]

    return words


def cpu(words, directory):
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    start = time.monotonic()
    done = subprocess.run(words, cwd=directory, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE)
    wall = time.monotonic() - start
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    if done.returncode:
        sys.exit(f"{words} ended with {done.returncode}: {done.stderr.decode()}")
    return after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime, wall


def main():
    parse = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parse.add_argument("--jalon", default="target/release/jalon")
    parse.add_argument("--python")
    parse.add_argument("--rounds", type=int, default=9)
    asked = parse.parse_args()
    jalon = str(Path(asked.jalon).resolve())
    with tempfile.TemporaryDirectory() as temporary:
        directory = Path(temporary)
        all = ways(jalon, directory)
        missing = [name for name in ("strace", "fatrace") if not shutil.which(name)]
        print(f"{asked.rounds} rounds; CPU and wall time as ratios to the bare command, medians\n")
        for title, command in workloads(asked.python, directory).items():
            words = {name: way(command) for name, way in all.items()}
            for name in words:
                cpu(all[name](command), directory)
            seen = {name: [] for name in words}
            for _ in range(asked.rounds):
                for name in words:
                    seen[name].append(cpu(all[name](command), directory))
            bare = statistics.median(c for c, _ in seen["bare"])
            print(f"| {title} (bare: {bare:.3f} s CPU) | CPU | wall |\n|---|---|---|")
            for name, runs in seen.items():
                ratios = [statistics.median(run[i] / base[i] for run, base in zip(runs, seen["bare"])) for i in (0, 1)]
                print(f"| {name} | {ratios[0]:.2f}× | {ratios[1]:.2f}× |")
            print()
        if missing:
            print("not on this machine:", ", ".join(missing))


if __name__ == "__main__":
    main()
