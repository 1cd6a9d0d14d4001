"""Tells jalon which modules Python looks for, so that only their names count where they are looked for.

Python's import system lists whole directories and keeps the answer. Seen from outside, such a listing
depends on every name in the directory, and a new script beside the old ones would make every node run again.
From inside it is known that only certain names were asked for: everything that looks for a module in a
directory goes through one method of one class. This file is found as `sitecustomize` on a PYTHONPATH that it
takes back at once, before it hands over to the environment's own `sitecustomize`. It says what it knows by
asking for paths that cannot exist, which the observer sees. Where Python does not take it (`-I`, `-E`, `-S`, a
Python that Python starts), listings count whole: less precise, never wrong.
"""

import os
import sys


def observe():
    external = sys.modules["_frozen_importlib_external"]
    finder = external.FileFinder
    stat, find, fill = os.stat, finder.find_spec, finder._fill_cache
    validate = external._validate_timestamp_pyc
    library = os.path.dirname(os.__file__)
    packages = ("/site-packages", "/dist-packages")
    told = set()

    def tell(word):
        try:
            stat("/proc/jalon/" + word)
        except (OSError, ValueError):
            pass

    whole = {}

    def counts(place):
        # What lies in a package of a distribution counts with it, unless several distributions may share it; the
        # standard library counts with the interpreter.
        if place.endswith(packages):
            return True
        if any(name + "/" in place for name in packages):
            if place not in whole:
                whole[place] = os.path.exists(place + "/__init__.py")
            return not whole[place]
        return not place.startswith(library)

    def then(loader, more):
        execute = loader.exec_module

        def exec_module(module):
            execute(module)
            more(module)

        loader.exec_module = exec_module

    def distributions(module):
        # Who asks for a distribution lists every directory on sys.path; what counts is which one was asked for.
        fast = getattr(module, "FastPath", None)
        if not hasattr(fast, "children") or not hasattr(fast, "search"):
            return
        children, search = fast.children, fast.search

        def find_children(self):
            tell("find")
            return children(self)

        def find_search(self, prepared):
            name = getattr(prepared, "normalized", None) or "*"
            tell("distribution" + os.path.join(os.getcwd(), str(self.root or ".")) + "/" + name)
            return search(self, prepared)

        fast.children, fast.search = find_children, find_search

    def source(place):
        # The directory of what byte code was compiled from.
        directory, name = os.path.split(os.path.dirname(place))
        return directory if name == "__pycache__" else os.path.join(directory, name)

    def find_spec(self, fullname, target=None):
        name = fullname.rpartition(".")[2]
        if (self.path, name) not in told:
            told.add((self.path, name))
            place = os.path.join(os.getcwd(), self.path)
            if counts(place):
                tell("module" + place + "/" + name)
        spec = find(self, fullname, target)
        if fullname == "importlib.metadata" and spec is not None and spec.loader is not None:
            then(spec.loader, distributions)
        return spec

    def fill_cache(self):
        tell("find")
        return fill(self)

    def validate_timestamp_pyc(data, mtime, size, name, details):
        # Byte code knows its source by its size and the second of its last change, so an edit within a second
        # of having been compiled may go unseen. Then it is compiled again.
        place = details.get("path")
        if place and counts(source(place)) and stat(place).st_mtime <= mtime + 2:
            raise ImportError("as young as its source", name=name, path=place)
        return validate(data, mtime, size, name, details)

    # What was listed until now was listed for its .pth files, by the module `site`.
    tell("start")
    finder.find_spec, finder._fill_cache = find_spec, fill_cache
    external._validate_timestamp_pyc = validate_timestamp_pyc


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


try:
    observe()
except (AttributeError, KeyError):
    # A Python whose import system is another one: its listings count whole.
    pass
take_back(os.path.dirname(__file__))
hand_over()
