#!/usr/bin/env python3
"""What it costs to keep bytes and to have them back, beside the file system's own tools.

hashed      a source of --gib GiB: `jalon plan`, beside `b3sum` of it
large       one output of --gib GiB: `jalon run` of a node that links it into place, beside `cp` of it
many        one directory of --files files of 1 kB as an output: `jalon run`, beside `tar` that writes them to one
            file and `tar` that reads that back
restore     --nodes nodes with an output of --bytes bytes each into an empty checkout, from the store; beside `cp -r` of
            the same files and, with --turbo, what that restores into another checkout of as many packages from its cache

Each row is the median of --rounds rounds in which the tools take turns; wall and CPU seconds, children included. The page
cache is warm: what is compared is work, not the disk.

    python3 benches/store.py --jalon target/release/jalon
    npm install --prefix target/turbo turbo
    python3 benches/store.py --only restore --turbo target/turbo/node_modules/.bin/turbo
"""

import argparse
import json
import os
import resource
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path


def cost(command, directory, store=None):
    """(wall, CPU) seconds of a process and its children."""
    before, start = resource.getrusage(resource.RUSAGE_CHILDREN), time.perf_counter()
    env = {**os.environ, "JALON_STORE": str(store)} if store else None
    done = subprocess.run(command, cwd=directory, env=env, stdin=subprocess.DEVNULL, capture_output=True, text=True)
    after, end = resource.getrusage(resource.RUSAGE_CHILDREN), time.perf_counter()
    if done.returncode != 0:
        sys.exit(f"{command} ended with {done.returncode}:\n{done.stdout[-2000:]}\n{done.stderr[-2000:]}")
    return end - start, after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime


def forget(directory, *names):
    for name in names:
        path = directory / name
        shutil.rmtree(path) if path.is_dir() else path.unlink(missing_ok=True)


class Rows:
    def __init__(self):
        self.all = {}

    def add(self, row, tool, found):
        self.all.setdefault(row, {}).setdefault(tool, []).append(found)

    def show(self, row, tool, *peers):
        mine = self.all[row][tool]
        for peer in peers:
            theirs = self.all[row][peer]
            line = f"{row}: {tool} beside {peer}: "
            for which, name in enumerate(["wall", "CPU"]):
                a, b = (statistics.median(it[which] for it in side) for side in (mine, theirs))
                ratios = sorted(x[which] / max(y[which], 1e-3) for x, y in zip(mine, theirs))
                middle = statistics.median(ratios)
                line += f"{name} {a:.2f} s, {b:.2f} s, {middle:.2f}× ({ratios[0]:.2f}–{ratios[-1]:.2f})  "
            print(line, flush=True)


def large(jalon, base, rows, args):
    project = base / "large"
    project.mkdir()
    # Made beforehand, so that the node's own work is a rename; not compressible.
    origin = base / "origin.bin"
    with open(origin, "wb") as file, open("/dev/urandom", "rb") as noise:
        piece = noise.read(64 << 20)
        for number in range(int(args.gib * 16)):
            file.write(number.to_bytes(8, "little") + piece[8:])
    definition = f'[node.make]\ncmd = "ln {origin} out.bin"\nout = {{ it = "out.bin" }}\n'
    (project / "jalon.toml").write_text(definition)
    reader = base / "reader"
    reader.mkdir()
    os.link(origin, reader / "in.bin")
    use = '[node.use]\ncmd = "true {{in.it}} > {{out.o}}"\nin = ["it"]\nout = { o = "o.txt" }\n'
    (reader / "jalon.toml").write_text('[source]\nit = "in.bin"\n' + use)
    for _ in range(args.rounds):
        forget(reader, ".jalon")
        rows.add("hashed", "jalon", cost([jalon, "plan", "-q"], reader))
        rows.add("hashed", "b3sum", cost(["b3sum", "--num-threads", "2", str(origin)], base))
        forget(project, ".jalon", "out.bin")
        rows.add("large", "jalon", cost([jalon, "run", "-q"], project))
        rows.add("large", "cp", cost(["cp", "--reflink=never", str(origin), str(base / "copy.bin")], base))
        forget(base, "copy.bin")
    rows.show("hashed", "jalon", "b3sum")
    rows.show("large", "jalon", "cp")
    forget(base, "large", "reader", "origin.bin")


def many(jalon, base, rows, args):
    project, origin = base / "many", base / "files"
    project.mkdir()
    for number in range(args.files):
        path = origin / f"{number % 100}" / f"{number}.txt"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(f"{number}\n" + "x" * 1000)
    definition = f'[node.make]\ncmd = "mv {base}/moved out"\nout = {{ it = "out/" }}\n'
    (project / "jalon.toml").write_text(definition)
    for _ in range(args.rounds):
        forget(project, ".jalon", "out")
        shutil.copytree(origin, base / "moved")
        rows.add("many", "jalon", cost([jalon, "run", "-q"], project))
        forget(base, "back", "files.tar")
        (base / "back").mkdir()
        write = cost(["tar", "cf", str(base / "files.tar"), "-C", str(origin), "."], base)
        read = cost(["tar", "xf", str(base / "files.tar"), "-C", str(base / "back")], base)
        rows.add("many", "tar, both ways", tuple(a + b for a, b in zip(write, read)))
        rows.add("many", "tar, writing", write)
        forget(project, "out")
        rows.add("many laid out", "jalon", cost([jalon, "run", "-q"], project))
        rows.add("many laid out", "tar, reading", read)
    rows.show("many", "jalon", "tar, both ways", "tar, writing")
    rows.show("many laid out", "jalon", "tar, reading")
    forget(base, "many", "files", "back", "files.tar")


def restore(jalon, base, rows, args):
    project = base / "restore"
    project.mkdir()
    lines = []
    for number in range(args.nodes):
        lines += [
            f"[node.make_{number}]",
            f'cmd = "head -c {args.bytes} /dev/urandom > {{{{out.o{number}}}}}"',
            f'out = {{ o{number} = "out/{number}.bin" }}',
        ]
    (project / "jalon.toml").write_text("\n".join(lines) + "\n")
    cost([jalon, "run", "-q"], project)
    shutil.copytree(project / "out", base / "outputs")
    os.environ["TURBO_TELEMETRY_DISABLED"] = "1"
    turbo = [args.turbo, "run", "build", f"--cache-dir={base / 'turbo-cache'}", "--output-logs=none"]
    if args.turbo:
        packages(base / "turbo", args)
        cost(turbo, base / "turbo")
    for number in range(args.rounds):
        other = base / f"checkout{number}"
        other.mkdir()
        shutil.copy(project / "jalon.toml", other)
        store = project / ".jalon/store"
        copy = ["cp", "-r", "--reflink=never", str(base / "outputs"), str(base / "copied")]
        rows.add("restore", "jalon", cost([jalon, "run", "-q", "--locked"], other, store))
        rows.add("restore", "cp -r", cost(copy, base))
        forget(base, "copied", other.name)
        if args.turbo:
            packages(other, args)
            rows.add("restore", "turbo", cost(turbo, other))
            # Random bytes: what it made anew would differ.
            for number in range(args.nodes):
                path = f"packages/n{number}/out/data"
                if (other / path).read_bytes() != (base / "turbo" / path).read_bytes():
                    sys.exit(f"turbo made {path} again instead of restoring it")
            forget(base, other.name)
    rows.show("restore", "jalon", "cp -r", *["turbo"] * bool(args.turbo))


def packages(directory, args):
    """The same outputs as packages of an npm workspace, which is what turbo knows."""
    directory.mkdir()
    lock = {"": {"name": "all", "workspaces": ["packages/*"]}}
    build = f"mkdir -p out && head -c {args.bytes} /dev/urandom > out/data"
    for number in range(args.nodes):
        name, version = f"n{number}", "0.0.0"
        package = directory / "packages" / name
        package.mkdir(parents=True)
        text = {"name": name, "version": version, "scripts": {"build": build}}
        (package / "package.json").write_text(json.dumps(text))
        lock[f"node_modules/{name}"] = {"resolved": f"packages/{name}", "link": True}
        lock[f"packages/{name}"] = {"name": name, "version": version}
    for name, text in [
        ("package.json", {"name": "all", "packageManager": "npm@11.0.0", "workspaces": ["packages/*"]}),
        ("package-lock.json", {"name": "all", "lockfileVersion": 3, "requires": True, "packages": lock}),
        ("turbo.json", {"tasks": {"build": {"outputs": ["out/**"]}}}),
    ]:
        (directory / name).write_text(json.dumps(text))


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--jalon", default="target/release/jalon")
    parser.add_argument("--gib", type=float, default=4)
    parser.add_argument("--files", type=int, default=100_000)
    parser.add_argument("--nodes", type=int, default=1000)
    parser.add_argument("--bytes", type=int, default=100_000)
    parser.add_argument("--turbo", help="its program, where restoring is to be compared with it")
    parser.add_argument("--rounds", type=int, default=3)
    parts = ["large", "many", "restore"]
    parser.add_argument("--only", nargs="+", choices=parts, default=parts, help="large measures hashed too")
    parser.add_argument("--dir", type=Path, help="where to work (default: a temporary directory, removed at the end)")
    args = parser.parse_args()
    if shutil.which(args.jalon) is None:
        sys.exit(f"{args.jalon} is not there: cargo build --release")
    jalon = str(Path(shutil.which(args.jalon)).resolve())
    if args.turbo:
        args.turbo = str(Path(args.turbo).resolve())
    base = Path(tempfile.mkdtemp(dir=args.dir))
    rows = Rows()
    try:
        for part in args.only:
            {"large": large, "many": many, "restore": restore}[part](jalon, base, rows, args)
    finally:
        shutil.rmtree(base)


if __name__ == "__main__":
    main()
