"""Where the binary is."""

import os
import shutil


class NoBinary(Exception):
    """There is none."""


def find():
    named = os.environ.get("JALON")
    found = shutil.which(named or "jalon")
    if found is None:
        where = f"$JALON names {named}" if named else "there is no jalon on PATH"
        raise NoBinary(f"{where}, which cannot be executed: build it with `cargo install --path .`, or name it with $JALON")
    return found
