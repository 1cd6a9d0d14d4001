"""Where the binary is, and what it is started with."""

import os
import shutil
from pathlib import Path


class NoBinary(Exception):
    """There is none."""


def find():
    named = os.environ.get("JALON")
    found = shutil.which(named or "jalon")
    if found is None:
        where = f"$JALON names {named}" if named else "there is no jalon on PATH"
        raise NoBinary(f"{where}, which cannot be executed: build it with `cargo install --path .`, or name it with $JALON")
    return found


def environment(project):
    """As it was before Kedro put the project's sources on PYTHONPATH, which is part of the keys."""
    env = dict(os.environ)
    first, _, rest = env.get("PYTHONPATH", "").partition(os.pathsep)
    if first and Path(first).resolve().is_relative_to(Path(project).resolve()):
        env["PYTHONPATH"] = rest
        if not rest:
            del env["PYTHONPATH"]
    return env
