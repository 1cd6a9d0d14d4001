"""Tells which versions of files in buckets are there: `ukeys.py REQUEST NAMES` prints an object with an answer by name.

Asked anew for each plan, in a process of its own: the file system of the dataset knows the credentials, and what it says
must not come out of a cache.
"""

import json
import os
import sys
from pathlib import Path


def version(dataset):
    dataset = getattr(dataset, "_dataset", dataset)
    find = getattr(dataset, "_get_load_path", None)
    path = str(find() if find else dataset._filepath)
    system = dataset._fs
    system.invalidate_cache()
    told = system.info(path)
    # Of the bytes alone, where there is one; `ukey` is another whenever they are written again.
    tag = told.get("ETag") or told.get("etag")
    return f"{path} {tag} {told.get('size')}" if tag else f"{path} {system.ukey(path)}"


def main():
    answer = os.dup(1)
    # What the project prints while it is loaded is no answer.
    os.dup2(2, 1)
    above = str(Path(__file__).resolve().parent.parent)
    sys.path[0] = above
    from jalon_kedro.load import load

    sys.path.remove(above)
    request = json.loads(Path(sys.argv[1]).read_text(encoding="utf-8"))
    names = json.loads(sys.argv[2])
    sys.argv[:] = ["kedro", "run"]
    os.chdir(request["project"])
    project = load(request)
    told = {}
    for name in names:
        try:
            told[name] = {"version": version(project.catalog.get(name, fallback_to_runtime_pattern=True))}
        except Exception as error:
            told[name] = {"why": f"{type(error).__name__}: {error}"[:300]}
    with os.fdopen(answer, "w", encoding="utf-8") as out:
        json.dump(told, out)


if __name__ == "__main__":
    main()
