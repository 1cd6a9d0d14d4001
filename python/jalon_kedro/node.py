"""Running nodes by Kedro's own `Task`, with what is in memory under Kedro kept in files.

What is handed on in memory is saved as `memory` has it; several nodes of one process also hand it on as it is.
"""

import functools
import json
import os
import pickle
import shutil
import sys
import traceback

from . import memory


@functools.cache
def kept_dataset():
    """A `MemoryDataset` whose data lies in a file. Made when Kedro is there to derive from."""
    from kedro.io import MemoryDataset as Base

    class MemoryDataset(Base):
        def __init__(self, place, into=None, copy_mode=None, report=None):
            super().__init__(copy_mode=copy_mode)
            self.place, self.into, self.report = place, into, report
            self.own = False

        def load(self):
            if not self.own and self.place is not None:
                return memory.load(self.place)
            return super().load()

        def save(self, data):
            if self.into is not None:
                try:
                    memory.dump(data, self.into)
                except memory.Unpicklable as error:
                    self.report(str(error))
            super().save(data)
            self.own = True

        def hold(self, data):
            Base.save.__wrapped__(self, data)
            self.own = True

        def _exists(self):
            return self.own or self.place is not None

    return MemoryDataset


def run(project, request):
    """Runs the nodes that a request names; what came of it goes to the request's result file."""
    from kedro.runner.task import Task

    os.environ.update(request.get("environ") or {})
    result = {"ok": True, "saved": {}, "unpicklable": {}}
    outside = prepare(project, request, result)
    for name in request.get("remake") or []:
        remake(project, project.nodes[name])
    node, code = project.nodes[request["node"]], 0
    try:
        if request.get("save"):
            outputs = [request["save"]]
            save(project, node, request["save"], outside)
        else:
            outputs = node.outputs
            hooks = Muted(project.hooks, request.get("hands_on") or ())
            Task(node=node, catalog=project.catalog, hook_manager=hooks, is_async=False, run_id=project.run_id).execute()
        result["saved"].update(saved(project, outputs, request.get("copies") or {}))
    except Exception as error:
        code = 1
        result = {"ok": False, "error": failure(error)}
        trimmed(error)
    write(result, request["result"])
    for name, dataset in outside.items():
        project.catalog._datasets[name] = dataset
    return code


class Muted:
    """The hooks of a node, but for those of saving what others save."""

    def __init__(self, manager, datasets):
        self.manager, self.hook, self.datasets = manager, self, datasets

    def __getattr__(self, name):
        call = getattr(self.manager.hook, name, None)
        if call is None:
            return getattr(self.manager, name)
        if name not in ("before_dataset_saved", "after_dataset_saved"):
            return call
        return lambda **told: None if told.get("dataset_name") in self.datasets else call(**told)


def save(project, node, name, outside):
    """Saves what a node gave in memory, as its own task would have."""
    data = project.catalog.get(name).load()
    project.catalog._datasets[name] = outside.pop(name)
    hook = project.hooks.hook
    hook.before_dataset_saved(dataset_name=name, data=data, node=node)
    project.catalog.save(name, data)
    hook.after_dataset_saved(dataset_name=name, data=data, node=node)


def replay(project, hit):
    """Calls the hooks of a node that was reused, with what it read and made; why not, where that cannot be had."""
    node, catalog, made = project.nodes[hit["node"]], project.catalog, kept_dataset()
    before = {}
    for name, place in hit["memory"].items():
        before[name] = catalog.get(name, fallback_to_runtime_pattern=True)
        catalog._datasets[name] = made(place, copy_mode=getattr(before[name], "_copy_mode", None))
    try:
        inputs = {name: catalog.get(name, fallback_to_runtime_pattern=True).load() for name in node.inputs}
        outputs = {name: catalog.get(name, fallback_to_runtime_pattern=True).load() for name in node.outputs}
    except Exception as error:
        return f"{type(error).__name__}: {error}"
    finally:
        catalog._datasets.update(before)
    hook, known = project.hooks.hook, {"node": node, "catalog": catalog, "is_async": False, "run_id": project.run_id}
    hook.before_node_run(inputs=inputs, **known)
    hook.after_node_run(inputs=inputs, outputs=outputs, **known)
    return None


def remake(project, node):
    """Makes again what only lives in memory; quietly, for it was made, hooked and told before."""
    inputs = {name: project.catalog.get(name).load() for name in node.inputs}
    for name, data in node.run(inputs).items():
        dataset = project.catalog.get(name)
        if isinstance(dataset, kept_dataset()):
            dataset.hold(data)


def prepare(project, request, result):
    """Puts files in the place of what is in memory; what was there before."""
    made = kept_dataset()
    given, taken = request.get("memory_in") or {}, request.get("memory_out") or {}
    before = {}
    for name in sorted({*given, *taken}):
        known = project.catalog.get(name, fallback_to_runtime_pattern=True)
        before[name] = known

        def report(why, name=name):
            result["unpicklable"][name] = why
            memory.stand_in(taken[name], {"node": request["node"], "dataset": name, "key": request.get("key")})

        copy_mode = getattr(known, "_copy_mode", None)
        # Not by assignment, which Kedro would log as a replacement.
        project.catalog._datasets[name] = made(given.get(name), taken.get(name), copy_mode, report)
    return before


def saved(project, outputs, copies):
    """Where versioned outputs went; a copy of each is left where jalon takes it from."""
    told = {}
    for name in outputs:
        dataset = project.catalog.get(name)
        inner = getattr(dataset, "_dataset", dataset)
        if getattr(inner, "_version", None) is None:
            continue
        place = str(inner._get_versioned_path(inner.resolve_save_version()))
        told[name] = {"path": os.path.relpath(place, os.getcwd())}
        if name in copies:
            copy(place, copies[name])
    return told


def copy(place, to):
    os.makedirs(os.path.dirname(to), exist_ok=True)
    if os.path.isdir(place):
        return shutil.copytree(place, to)
    return shutil.copyfile(place, to)


def failure(error):
    told = {
        "type": f"{type(error).__module__}.{type(error).__qualname__}".removeprefix("builtins."),
        "message": str(error),
        "traceback": traceback.format_exc(),
    }
    try:
        told["pickle"] = pickle.dumps(error, protocol=5).hex()
    except Exception:
        pass
    return told


def trimmed(error):
    """Prints a traceback without the frames that are jalon's."""
    here = os.path.dirname(__file__)
    shown = error.__traceback__
    while shown is not None and shown.tb_frame.f_code.co_filename.startswith(here):
        shown = shown.tb_next
    sys.stdout.flush()
    traceback.print_exception(type(error), error, shown)


def write(result, path):
    temporary = path + ".tmp"
    with open(temporary, "w", encoding="utf-8") as file:
        json.dump(result, file)
    os.replace(temporary, path)
