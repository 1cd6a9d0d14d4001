"""Calls one function of a project for jalon: its arguments out of files and parameters, its results into files.

`python call.py REQUEST`, in the project's directory. REQUEST is a JSON file:

    {"function": "package.module:function", "path": [directories in which modules are found],
     "inputs":  [{"name", "list": bool, "files": [{"path", "form"}]}],   form: json, text, bytes, pickle, parquet, csv,
     "outputs": [{"name", "path", "form"}],                              npy, plot, or null: the path itself
     "params":  {"a.b": value as JSON text}, "matrix": {"key": "value"}}

An argument named like an input gets its value, or its path where it is annotated as one; one named like the last part of
a declared parameter gets that, `params` all of them as one dictionary; one named like an output gets its path, and
the function writes it. What the function returns is what is left of the outputs: nothing, the one, or several as a
tuple in their order or a dictionary by name. The same rules, as far as they can be told without Python, are in
`src/function/arguments.rs`.
"""

import importlib
import inspect
import json
import os
import pathlib
import pickle
import sys
import traceback


class Unusable(Exception):
    """What the node says and what the function does cannot be brought together."""


# ---- the function


def find(request):
    here = os.path.dirname(os.path.abspath(__file__))
    sys.path[:] = [place for place in sys.path if os.path.abspath(place) != here]
    sys.path[:0] = [os.path.abspath(place or ".") for place in request["path"]]
    module, _, name = request["function"].partition(":")
    function = importlib.import_module(module)
    for part in name.split("."):
        function = getattr(function, part)
    return function


def arguments(function, request):
    try:
        parameters = inspect.signature(function).parameters
    except (TypeError, ValueError):
        parameters = {}
    known = {name for name, it in parameters.items() if it.kind in (it.POSITIONAL_OR_KEYWORD, it.KEYWORD_ONLY)}
    anything = not parameters or any(it.kind is it.VAR_KEYWORD for it in parameters.values())
    given = {}
    for each in request["inputs"]:
        name = each["name"]
        if name not in known and not anything:
            raise Unusable(f"{request['function']} has no argument for the input {name}")
        given[name] = value(each, wants_path(parameters.get(name)))
    everything = nested(request["params"])
    for path, one in request["params"].items():
        name = path.rpartition(".")[2]
        if name in known or (anything and "params" not in known):
            if name in given:
                raise Unusable(f"the argument {name} is given twice: by {path} and by another name")
            given[name] = one
        elif "params" not in known:
            raise Unusable(f"{request['function']} has no argument for the parameter {path}")
    if "params" in known and "params" not in given:
        given["params"] = everything
    for name, one in request["matrix"].items():
        if name in known:
            given.setdefault(name, one)
    written = {}
    for each in request["outputs"]:
        if each["name"] in known and each["name"] not in given:
            written[each["name"]] = given[each["name"]] = pathlib.Path(each["path"])
    return given, written


def nested(params):
    """`{"a.b": 1}` as `{"a": {"b": 1}}`."""
    root = {}
    for path, one in params.items():
        *above, last = path.split(".")
        place = root
        for part in above:
            place = place.setdefault(part, {})
        if isinstance(one, dict) and isinstance(place.get(last), dict):
            place[last].update(one)
        else:
            place[last] = one
    return root


def wants_path(parameter):
    if parameter is None:
        return False
    wanted = parameter.annotation
    if isinstance(wanted, str):
        return wanted.replace("list[", "").replace("List[", "").rstrip("]").rpartition(".")[2] in ("Path", "PurePath", "PathLike")
    inner = getattr(wanted, "__args__", None) or (wanted,)
    return any(isinstance(it, type) and issubclass(it, (pathlib.PurePath, os.PathLike)) for it in inner)


# ---- values in files


def value(each, path_wanted):
    values = [
        pathlib.Path(it["path"]) if path_wanted or it["form"] in (None, "plot") else read(it["path"], it["form"])
        for it in each["files"]
    ]
    return values if each["list"] else values[0]


class Unpickler(pickle.Unpickler):
    """Classes of the project are code that the function's text need not name: jalon is told."""

    def find_class(self, module, name):
        found = super().find_class(module, name)
        file = getattr(sys.modules.get(module), "__file__", None)
        if file and is_project(file):
            tell("dynamic")
        return found


def is_project(file):
    file = os.path.abspath(file)
    return file.startswith(os.getcwd() + os.sep) and "site-packages" not in file


def tell(word):
    try:
        os.stat("/proc/jalon/" + word)
    except OSError:
        pass


def read(path, form):
    if form == "json":
        with open(path, encoding="utf-8") as file:
            return json.load(file)
    if form == "text":
        with open(path, encoding="utf-8", newline="") as file:
            return file.read()
    if form == "bytes":
        with open(path, "rb") as file:
            return file.read()
    if form == "pickle":
        with open(path, "rb") as file:
            return Unpickler(file).load()
    if form == "csv":
        return package("pandas", form).read_csv(path)
    if form == "parquet":
        return package("pandas", form).read_parquet(path)
    if form == "npy":
        return package("numpy", form).load(path, allow_pickle=False)
    raise Unusable(f"{path}: the form {form} cannot be read")


def package(name, form):
    try:
        return importlib.import_module(name)
    except ImportError as error:
        raise Unusable(f"the form {form} needs {name}, which cannot be imported: {error}") from None


def save(result, path, form, name):
    def wrong(wanted):
        return Unusable(f"the result {name} is a {type(result).__name__}, and {path} takes {wanted}")

    if form == "json":
        try:
            text = json.dumps(result, ensure_ascii=False, indent=2, allow_nan=False, default=plain)
        except ValueError as error:
            raise Unusable(f"the result {name} cannot be saved as json in {path}: {error}") from None
        write(path, (text + "\n").encode())
    elif form == "text":
        if not isinstance(result, str):
            raise wrong("a str")
        write(path, result.encode())
    elif form == "bytes":
        if not isinstance(result, (bytes, bytearray, memoryview)):
            raise wrong("bytes")
        write(path, result)
    elif form == "pickle":
        with open(path, "wb") as file:
            pickle.dump(result, file, protocol=5)
    elif form in ("csv", "parquet"):
        frame(result, path, form, name, wrong)
    elif form == "npy":
        numpy = package("numpy", form)
        with open(path, "wb") as file:
            numpy.save(file, result, allow_pickle=False)
    elif form == "plot":
        plot(result, path, wrong)
    else:
        raise Unusable(
            f"how the result {name} is to be saved in {path} is not known: say it with kind, "
            f"or give the function an argument {name} (the path) and let it write"
        )


def write(path, data):
    with open(path, "wb") as file:
        file.write(data)


def plain(one):
    """Numbers and arrays of NumPy, paths."""
    if isinstance(one, os.PathLike):
        return os.fspath(one)
    for method in ("tolist", "item"):
        if callable(getattr(one, method, None)) and type(one).__module__.partition(".")[0] in ("numpy", "pandas"):
            return getattr(one, method)()
    raise Unusable(f"a {type(one).__name__} cannot be saved as json")


def frame(result, path, form, name, wrong):
    if form == "parquet" and hasattr(result, "to_parquet"):
        return result.to_parquet(path)
    if not hasattr(result, "to_csv" if form == "csv" else "to_parquet"):
        raise wrong("a data frame")
    index = getattr(result, "index", None)
    if index is not None and type(index).__name__ != "RangeIndex":
        raise Unusable(f"the result {name} has an index, which csv would lose: reset_index() it, or save it as parquet")
    return result.to_csv(path, index=False)


def plot(result, path, wrong):
    if isinstance(result, (bytes, bytearray, memoryview)):
        return write(path, result)
    figure = result if hasattr(result, "savefig") else getattr(result, "figure", None)
    if not hasattr(figure, "savefig"):
        raise wrong("a matplotlib figure or bytes")
    # What would differ each time: dates, versions, and ids of which the start is random.
    metadata = {"png": {"Software": None}, "svg": {"Date": None}, "pdf": {"CreationDate": None}}
    import matplotlib

    matplotlib.rcParams["svg.hashsalt"] = "jalon"
    return figure.savefig(path, metadata=metadata.get(path.rpartition(".")[2].lower()))


def results(result, request, written):
    wanted = [each for each in request["outputs"] if each["name"] not in written]
    names = [each["name"] for each in wanted]
    if not wanted:
        return
    if len(wanted) == 1 and not (isinstance(result, dict) and list(result) == names and wanted[0]["form"] != "json"):
        values = [result]
    elif isinstance(result, dict) and set(result) == set(names):
        values = [result[name] for name in names]
    elif isinstance(result, (tuple, list)) and len(result) == len(names):
        values = result
    else:
        count = f" of {len(result)}" if isinstance(result, (tuple, list, dict)) else ""
        raise Unusable(
            f"{request['function']} returned a {type(result).__name__}{count}, and the node has {len(names)} outputs: "
            f"{', '.join(names)}"
        )
    for each, one in zip(wanted, values):
        save(one, each["path"], each["form"], each["name"])


# ---- the process


def call(request):
    function = find(request)
    given, written = arguments(function, request)
    result = function(**given)
    if inspect.iscoroutine(result):
        import asyncio

        result = asyncio.run(result)
    results(result, request, written)


def main():
    with open(sys.argv[1], encoding="utf-8") as file:
        request = json.load(file)
    request["params"] = {path: json.loads(text) for path, text in request["params"].items()}
    sys.argv[:] = [request["function"]]
    for stream in (sys.stdout, sys.stderr):
        stream.reconfigure(line_buffering=True)
    try:
        call(request)
    except Unusable as error:
        sys.stdout.flush()
        print(f"jalon: {error}", file=sys.stderr)
        sys.exit(1)
    except Exception as error:
        sys.stdout.flush()
        shown = error.__traceback__
        while shown is not None and shown.tb_frame.f_code.co_filename == __file__:
            shown = shown.tb_next
        traceback.print_exception(type(error), error, shown)
        sys.exit(1)


if __name__ == "__main__":
    main()
