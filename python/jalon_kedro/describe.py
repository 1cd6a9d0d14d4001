"""What a loaded project consists of, as plain data: nodes with their functions, datasets, parameters, hooks.

The same project gives the same description, wherever it lies and whenever it is loaded; credentials are never in it.
"""

import functools
import hashlib
import inspect
import json
import marshal
import os
import pickle
import sys
import types
from pathlib import Path, PurePath

SCHEMA = 1
HERE = "<project>"


def describe(project):
    import kedro
    from kedro.framework.project import PACKAGE_NAME

    root = str(project.context.project_path)
    pipeline, catalog, chosen = project.wide, project.catalog, {each.name for each in project.pipeline.nodes}
    names = sorted(pipeline.datasets())
    data = {name: dataset(project, name, root) for name in names if not is_parameter(name)}
    return {
        "schema": SCHEMA,
        "kedro": kedro.__version__,
        "package": PACKAGE_NAME,
        "roots": sorted({relative(place, root) for place in sys.path if is_below(place, root)}),
        "nodes": [{**node(each, pipeline, data, root), "beyond": each.name not in chosen} for each in pipeline.nodes],
        "inputs": sorted(pipeline.inputs()),
        "outputs": sorted(pipeline.outputs()),
        "unsatisfied": sorted(set(pipeline.inputs()) - project.registered),
        "datasets": data,
        "parameters": {name: value(catalog.get(name).load(), root) for name in names if is_parameter(name)},
        "hooks": hooks(project.hooks, root),
        "modules": sorted(modules(root)),
        "conf": relative(str(project.session._conf_source), root),
        "loaded": sorted({name.partition(".")[0] for name in sys.modules} - set(sys.stdlib_module_names)),
    }


def is_parameter(name):
    return name == "parameters" or name.startswith("params:")


def is_below(place, root):
    place = os.path.abspath(place or ".")
    return (place == root or place.startswith(root + os.sep)) and "site-packages" not in place and ".jalon" not in place


def relative(place, root):
    found = os.path.relpath(os.path.abspath(place or "."), root)
    return "" if found == "." else found


def modules(root):
    """The project's own modules that loading it has imported."""
    for module in list(sys.modules.values()):
        file = getattr(module, "__file__", None)
        if file and is_below(file, root):
            yield relative(file, root)


# ---- nodes


def node(each, pipeline, data, root):
    from kedro.pipeline.transcoding import _strip_transcoding

    made = {}
    for other in pipeline.nodes:
        for name in other.outputs:
            made[_strip_transcoding(name)] = other.name
    after = {made.get(_strip_transcoding(name)) for name in each.inputs} - {None, each.name}
    bound = inputs(each)
    return {
        "name": each.name,
        "short_name": each.short_name,
        "namespace": each.namespace,
        "tags": sorted(each.tags),
        "function": function(each.func, root),
        "inputs": [[argument, name] for argument, name in bound],
        "outputs": list(each.outputs),
        "confirms": list(each.confirms),
        "after": sorted(after),
        "generator": inspect.isgeneratorfunction(each.func),
        "single_process": any(data[name]["single_process"] for name in (*each.inputs, *each.outputs) if name in data),
    }


def inputs(each):
    given = each._inputs
    if isinstance(given, dict):
        return list(given.items())
    if isinstance(given, str):
        return [(None, given)]
    return [(None, name) for name in given or []]


def function(func, root):
    """Where a function's code is to be found, and what is bound to it."""
    entries, bound, opaque = [], [], []
    _walk(func, root, entries, bound, opaque, set())
    kind = (
        "partial"
        if isinstance(func, functools.partial)
        else "method"
        if inspect.ismethod(func)
        else "function"
        if inspect.isfunction(func)
        else "callable"
    )
    return {"kind": kind, "entries": entries, "bound": bound, "opaque": opaque}


def _walk(func, root, entries, bound, opaque, seen):
    if id(func) in seen:
        return
    seen.add(id(func))
    if isinstance(func, functools.partial):
        bound.append(value([list(func.args), dict(func.keywords)], root))
        return _walk(func.func, root, entries, bound, opaque, seen)
    if inspect.ismethod(func):
        owner = func.__self__
        if isinstance(owner, type):
            entries.append(f"{owner.__module__}:{owner.__qualname__}")
        else:
            bound.append(value(owner, root))
            entries.append(f"{type(owner).__module__}:{type(owner).__qualname__}")
        return _walk(func.__func__, root, entries, bound, opaque, seen)
    if inspect.isfunction(func):
        return _function(func, root, entries, bound, opaque, seen)
    if isinstance(func, type) or inspect.isbuiltin(func):
        entries.append(f"{func.__module__}:{func.__qualname__}")
        return None
    wrapped = getattr(func, "__wrapped__", None)
    if wrapped is not None:
        # What some compilers and caches put in a function's place.
        _walk(wrapped, root, entries, bound, opaque, seen)
        entries.append(f"{type(func).__module__}:{type(func).__qualname__}")
        return None
    if callable(func):
        entries.append(f"{type(func).__module__}:{type(func).__qualname__}")
        bound.append(value(func, root))
        return None
    opaque.append(f"a {type(func).__name__} is no function")
    return None


def _function(func, root, entries, bound, opaque, seen):
    module, name = func.__module__, func.__qualname__
    # A function made within another one is part of that one's text.
    outer = name.partition(".<locals>")[0]
    if _found(module, outer) is not None:
        entries.append(f"{module}:{outer}")
    _code(func, entries, bound)
    if outer != name or _found(module, outer) is not func:
        for cell in func.__closure__ or ():
            try:
                content = cell.cell_contents
            except ValueError:
                continue
            if callable(content) and not isinstance(content, type):
                _walk(content, root, entries, bound, opaque, seen)
            else:
                bound.append(value(content, root))
        bound.append(value([list(func.__defaults__ or ()), dict(func.__kwdefaults__ or {})], root))
    wrapped = getattr(func, "__wrapped__", None)
    if wrapped is not None:
        _walk(wrapped, root, entries, bound, opaque, seen)


def _code(func, entries, bound):
    """Where the text of a function really lies: what wraps another one goes by the name of that."""
    code = func.__code__
    module = _files().get(os.path.abspath(code.co_filename))
    if module is None:
        # Made of a text that lies in no module.
        bound.append({"pickle": hashlib.sha256(marshal.dumps(code)).hexdigest()})
        return
    # Before Python 3.11 code does not know within what it was defined.
    within = getattr(code, "co_qualname", "<lambda>").partition(".<locals>")[0]
    known = all(part.isidentifier() for part in within.split("."))
    entries.append(f"{module}:{within}" if known else f"{module}:*")


@functools.cache
def _files():
    """Modules by their files."""
    named = ((getattr(module, "__file__", None), name) for name, module in list(sys.modules.items()))
    return {os.path.abspath(file): name for file, name in named if file}


def _found(module, name):
    found = sys.modules.get(module)
    for part in name.split("."):
        found = getattr(found, part, None)
    return found


# ---- values


def value(one, root):
    """A value as JSON where that holds all of it, else a digest of its pickle, else why it cannot be told."""
    try:
        if _is_small(one) and _same(json.loads(json.dumps(one)), one):
            return {"json": one}
    except (TypeError, ValueError, RecursionError):
        pass
    if isinstance(one, type):
        return {"class": f"{one.__module__}:{one.__qualname__}"}
    if isinstance(one, PurePath):
        return {"path": str(one).replace(root, HERE)}
    try:
        digest = hashlib.sha256(pickle.dumps(one, protocol=5)).hexdigest()
        return {"pickle": digest, "class": f"{type(one).__module__}:{type(one).__qualname__}"}
    except Exception as error:
        return {"opaque": f"a {type(one).__name__} cannot be told: {error}"}


def _is_small(one):
    """Whether every number in it is one that all readers of JSON agree on."""
    if isinstance(one, dict):
        return all(map(_is_small, one.values()))
    if isinstance(one, list):
        return all(map(_is_small, one))
    if isinstance(one, int):
        return -(1 << 63) <= one < 1 << 63
    return not isinstance(one, float) or one - one == 0


def _same(a, b):
    if type(a) is not type(b):
        return False
    if isinstance(a, dict):
        return list(a) == list(b) and all(_same(a[key], b[key]) for key in a)
    if isinstance(a, list):
        return len(a) == len(b) and all(map(_same, a, b))
    return a == b or (a != a and b != b)


# ---- datasets


def dataset(project, name, root):
    from kedro.io import CachedDataset
    from kedro.pipeline.transcoding import _strip_transcoding

    found = project.catalog.get(name, fallback_to_runtime_pattern=True)
    registered = name in project.registered
    inner = found._dataset if isinstance(found, CachedDataset) else found
    kind = type(inner)
    told = {
        "base": _strip_transcoding(name),
        "registered": registered,
        "class": f"{kind.__module__}.{kind.__qualname__}",
        "class_in_project": is_below(getattr(sys.modules.get(kind.__module__), "__file__", "") or "/", root),
        "versioned": getattr(inner, "_version", None) is not None,
        "load_version": getattr(getattr(inner, "_version", None), "load", None),
        "append": appends(inner),
        "stateful": kind.__name__ == "IncrementalDataset",
        "cached": isinstance(found, CachedDataset),
        "single_process": bool(getattr(inner, "_SINGLE_PROCESS", False)),
        "needs": sorted(needs(kind)),
        "definition": definition(found, root),
        "path": None,
        "why": "",
    }
    place, why = where(inner, root)
    if is_memory(inner):
        told["category"] = "memory"
        told["definition"] = {"type": told["class"], "copy_mode": getattr(inner, "_copy_mode", None)}
        data = getattr(inner, "_data", None)
        if registered and inner.exists():
            told["value"] = value(data, root)
    elif place is not None:
        told["category"], told["path"] = "file", place
    else:
        told["category"], told["why"] = "opaque", why
        told["asks"] = has_ukey(inner)
    return told


# File systems whose `ukey` changes with the bytes (an etag). That of others, such as HTTP's, may be the name alone.
ETAGS = {"s3", "s3a", "s3n", "gs", "gcs", "abfs", "abfss", "adl", "az"}


def has_ukey(found):
    return getattr(found, "_protocol", None) in ETAGS and hasattr(found, "_fs") and hasattr(found, "_filepath")


def needs(kind):
    """The first parts of the modules that a dataset's class, and those it derives from, may use."""
    for each in kind.__mro__:
        yield each.__module__.partition(".")[0]
        for one in vars(sys.modules.get(each.__module__, types)).values():
            name = one.__name__ if isinstance(one, types.ModuleType) else getattr(one, "__module__", None)
            if isinstance(name, str):
                yield name.partition(".")[0]


def is_memory(found):
    names = {kind.__name__ for kind in type(found).__mro__}
    return bool(names & {"MemoryDataset", "SharedMemoryDataset"})


def where(found, root):
    """The local path of a dataset's bytes, relative to the project where it lies there, or why it has none."""
    protocol = getattr(found, "_protocol", "file") or "file"
    for name in ("_filepath", "_path", "_filepath_str", "_dirpath"):
        place = getattr(found, name, None)
        if isinstance(place, (str, PurePath)) and str(place):
            place = str(place)
            if protocol not in ("file", "local", "") or "://" in place:
                return None, f"it lies elsewhere ({protocol})"
            place = os.path.normpath(Path(root, place))
            # Not where the project lies: the description is the same elsewhere.
            return (os.path.relpath(place, root) if place.startswith(root + os.sep) else place), ""
    return None, f"what a {type(found).__name__} reads and writes has no file of its own"


def appends(found):
    def asks(arguments):
        return isinstance(arguments, dict) and str(arguments.get("mode", "")).startswith("a")

    nested = [getattr(found, name, None) for name in ("_save_args", "_fs_open_args_save")]
    return any(map(asks, nested))


def definition(found, root):
    try:
        config = found._init_config()
    except Exception as error:
        return {"opaque": f"it does not say how it was made: {error}"}
    return plain(config, root)


def plain(one, root):
    """As JSON, without credentials and without where the project lies."""
    if isinstance(one, dict):
        return {str(key): plain(each, root) for key, each in one.items() if key != "credentials"}
    if isinstance(one, (list, tuple)):
        return [plain(each, root) for each in one]
    if isinstance(one, (str, PurePath)):
        return str(one).replace(root, HERE)
    if one is None or isinstance(one, (bool, int, float)):
        return one
    if isinstance(one, type) or isinstance(one, types.FunctionType):
        return {"named": f"{one.__module__}:{one.__qualname__}"}
    return value(one, root)


# ---- hooks


def hooks(manager, root):
    distributions = {id(plugin): info.project_name for plugin, info in manager.list_plugin_distinfo()}
    told = []
    for plugin in manager.get_plugins():
        kind = plugin if isinstance(plugin, (type, types.ModuleType)) else type(plugin)
        if isinstance(kind, types.ModuleType):
            module, qualname = kind.__name__, ""
        else:
            module, qualname = kind.__module__, kind.__qualname__
        callers = manager.get_hookcallers(plugin) or []
        file = getattr(sys.modules.get(module), "__file__", None)
        told.append(
            {
                "module": module,
                "qualname": qualname,
                "in_project": bool(file) and is_below(file, root),
                "distribution": distributions.get(id(plugin)),
                "implements": sorted(caller.name for caller in callers),
            }
        )
    return sorted(told, key=lambda each: (each["module"], each["qualname"]))
