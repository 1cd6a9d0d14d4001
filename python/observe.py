"""Tells jalon which modules Python looks for, so that only their names count where they are looked for.

Python's import system lists whole directories and keeps the answer. Seen from outside, such a listing
depends on every name in the directory, and a new script beside the old ones would make every node run again.
From inside it is known that only certain names were asked for. This file is found as `sitecustomize` on a
PYTHONPATH that it takes back at once, before it hands over to the environment's own `sitecustomize`. It says
what it knows by asking for paths that cannot exist, which the observer sees. Where Python does not take
it (`-I`, `-E`, `-S`, a program that Python starts), listings count whole: less precise, never wrong.
"""

import os
import sys


def observe():
    stat, frame = os.stat, sys._getframe
    finder = "<frozen importlib._bootstrap_external>"

    def tell(word):
        try:
            stat("/proc/jalon/" + word)
        except (OSError, ValueError):
            pass

    def hook(event, args):
        if event == "import":
            tell("module/" + args[0])
        elif event == "os.listdir" and frame(1).f_code.co_filename == finder:
            tell("find")

    # What is listed before this is listed for its .pth files, by the module `site`.
    tell("start")
    sys.addaudithook(hook)
    for name in list(sys.modules):
        tell("module/" + name)


def take_back(here):
    sys.path[:] = [place for place in sys.path if place != here]
    sys.path_importer_cache.pop(here, None)
    rest = os.environ.get("PYTHONPATH", "").split(os.pathsep)[1:]
    if rest:
        os.environ["PYTHONPATH"] = os.pathsep.join(rest)
    else:
        os.environ.pop("PYTHONPATH", None)


def hand_over():
    this = sys.modules.pop("sitecustomize", None)
    try:
        import sitecustomize  # noqa: F401
    except ImportError as error:
        if error.name != "sitecustomize":
            raise
    finally:
        sys.modules.setdefault("sitecustomize", this)


if hasattr(sys, "addaudithook"):
    observe()
take_back(os.path.dirname(__file__))
hand_over()
