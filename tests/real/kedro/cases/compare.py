"""Runs each case by Kedro's own runner and by jalon's, in this process; prints what differs, and how many agreed.

    python compare.py       in a copy of this project, with $JALON
"""

import json
import os
import shutil
import sys
from pathlib import Path

from kedro.framework.session import KedroSession
from kedro.framework.startup import bootstrap_project
from kedro.runner import SequentialRunner

HERE = Path.cwd()
bootstrap_project(HERE)

from cases.pipeline_registry import CASES, names  # noqa: E402
from jalon import JalonRunner  # noqa: E402


def ran(case, runner):
    """The nodes that ran, by their numbers, and what lies in files afterwards."""
    log, data = Path(os.environ["CASES_LOG"]), HERE / "data"
    shutil.rmtree(data, ignore_errors=True)
    data.mkdir()
    (data / "seed.json").write_text('"seed"')
    for made, (_, makes) in zip(names(case), CASES[case][0]):
        for name, how in zip(made, makes):
            if how == "+":
                (data / f"{name.removeprefix('kept_')}.json").write_text(json.dumps(f"{name} was there"))
    log.write_text("")
    with KedroSession.create(HERE) as session:
        session.run(pipeline_names=[case], runner=runner, only_missing_outputs=True)
    numbers = sorted(int(line.rpartition(".")[2]) for line in log.read_text().split())
    return numbers, {path.name: path.read_text() for path in data.iterdir()}


def main():
    os.environ["CASES_LOG"] = str(HERE.parent / "cases.log")
    wrong = 0
    for case, (_, expected) in CASES.items():
        theirs, ours = ran(case, SequentialRunner()), ran(case, JalonRunner())
        if not theirs == ours or theirs[0] != expected:
            wrong += 1
            print(f"{case}: expected {expected}\n  Kedro {theirs}\n  jalon {ours}")
    print(f"{len(CASES) - wrong} of {len(CASES)} cases agree")
    return wrong


if __name__ == "__main__":
    sys.exit(main())
