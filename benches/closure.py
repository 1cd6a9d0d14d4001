#!/usr/bin/env python3
"""What the code versions of a project's functions cost: MODULES modules of some 100 lines, asked for one function
of the last, and for one of every module.

    cargo build --release -p jalon-closure --example closure
    python3 benches/closure.py --closure target/release/examples/closure
"""

import argparse
import pathlib
import statistics
import subprocess
import tempfile
import time


def module(index):
    lines = ["import os", "import logging", "from dataclasses import dataclass", "import numpy as np"]
    for other in sorted({index // 2, index // 3, index - 1, index - 7} - {index}):
        if other >= 0:
            lines.append(f"from pkg.part{other % 20}.m{other} import f{other}_0, C{other} as Base{other}")
    lines += ["logger = logging.getLogger(__name__)", 'ROOT = os.environ.get("ROOT", "/")', f"LIMIT = {index} * 2"]
    called = [f"f{other}_0(x)" for other in sorted({index // 2, index - 1} - {index}) if other >= 0]
    for number in range(8):
        lines += [
            f"def f{index}_{number}(x, scale: float = 1.0):",
            '    """What it does."""',
            "    total = 0",
            "    for item in range(x):",
            "        if item % 2:",
            f"            total += np.sqrt(item) * scale + LIMIT  # {number}",
            "    values = [value ** 2 for value in range(total) if value > x]",
            f"    return sum(values) + {' + '.join(called) or '0'}",
        ]
    base = f"Base{index // 2}" if index > 1 else "object"
    lines += [
        "@dataclass",
        f"class C{index}({base}):",
        "    rate: float = 0.1",
        "    def fit(self, rows):",
        f"        logger.info('fit %d', len(rows))",
        f"        return [f{index}_1(row) for row in rows]",
    ]
    return "\n".join(lines) + "\n"


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--closure", required=True)
    parser.add_argument("--modules", type=int, default=1000)
    parser.add_argument("--rounds", type=int, default=5)
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as directory:
        root = pathlib.Path(directory)
        for index in range(options.modules):
            path = root / "pkg" / f"part{index % 20}" / f"m{index}.py"
            path.parent.mkdir(parents=True, exist_ok=True)
            (path.parent / "__init__.py").touch()
            path.write_text(module(index))
        (root / "pkg" / "__init__.py").touch()
        lines = sum(len(path.read_text().splitlines()) for path in root.rglob("*.py"))
        print(f"{options.modules} modules, {lines} lines")
        names = [f"pkg.part{index % 20}.m{index}:f{index}_0" for index in range(options.modules)]
        for what, functions in [("one function", names[-1:]), ("a function of each", names)]:
            times = []
            for _ in range(options.rounds):
                start = time.perf_counter()
                subprocess.run([options.closure, root, *functions], check=True, stdout=subprocess.DEVNULL)
                times.append(time.perf_counter() - start)
            print(f"{what}: {statistics.median(times):.3f} s ({min(times):.3f} to {max(times):.3f})")


if __name__ == "__main__":
    main()
