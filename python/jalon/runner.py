"""A runner that has the binary run the pipeline, with what is known of it in its store.

The binary loads the project itself, with the same selection, so that its keys are those of `jalon run`. The hooks of the run
are Kedro's affair here; those of nodes and datasets are called where the nodes run.
"""

import json
import os
import subprocess
import sys
import tempfile
from pathlib import Path

import click
from kedro.framework.project import LOGGING  # noqa: F401  (Kedro sets its logging up when it is first imported)
from kedro.runner import AbstractRunner
from kedro.utils import find_kedro_project

from jalon import binary
from jalon_kedro import memory


class NodeFailed(RuntimeError):
    """A node failed in the binary's process; its message and traceback were shown there."""


class JalonRunner(AbstractRunner):
    """Runs only the nodes of a pipeline that have to run."""

    def __init__(self, is_async=False, jobs=None):
        super().__init__(is_async=False)
        self.jobs = jobs

    def _get_executor(self, max_workers):
        return None

    def _run(self, pipeline, catalog, hook_manager=None, run_id=None):
        raise NotImplementedError("the binary runs the nodes")

    def run(self, pipeline, catalog, hook_manager=None, run_id=None, only_missing_outputs=False):
        if only_missing_outputs:
            pipeline = self._filter_pipeline_for_missing_outputs(pipeline, catalog)
        project = find_kedro_project(Path.cwd()) or Path.cwd()
        words = selection(pipeline)
        if pipeline.nodes:
            run(project, words, self.jobs)
        results = {}
        for name in pipeline.outputs():
            dataset = catalog.get(name, fallback_to_runtime_pattern=True)
            if type(dataset).__name__ in ("MemoryDataset", "SharedMemoryDataset"):
                dataset.save(fetch(project, words, name))
            results[name] = dataset
        return results


def selection(pipeline):
    """The arguments with which the binary means the same nodes of the same project."""
    words = ["--nodes", ",".join(node.name for node in pipeline.nodes), "--python", sys.executable]
    context = click.get_current_context(silent=True)
    given = context.params if context is not None else {}
    names = given.get("pipelines") or ([given["pipeline"]] if given.get("pipeline") else [])
    if names:
        words += ["--pipelines", ",".join(names)]
    if given.get("env") or os.environ.get("KEDRO_ENV"):
        words += ["--env", given.get("env") or os.environ["KEDRO_ENV"]]
    if given.get("conf_source"):
        words += ["--conf-source", str(given["conf_source"])]
    if given.get("load_versions"):
        versions = given["load_versions"]
        versions = versions.items() if isinstance(versions, dict) else (one.split(":", 1) for one in versions)
        words += ["--load-versions", ",".join(f"{name}:{version}" for name, version in versions)]
    for name, value in flat(given.get("params") or {}):
        words += ["-p", f"{name}={value}"]
    return words


def flat(params, above=""):
    for name, value in params.items():
        if isinstance(value, dict) and value:
            yield from flat(value, f"{above}{name}.")
        else:
            yield f"{above}{name}", value if isinstance(value, str) else json.dumps(value)


def run(project, words, jobs):
    command = [binary.find(), "run", "-C", str(project), "-v", *words]
    if jobs:
        command += ["-j", str(jobs)]
    ended = subprocess.run(command, env={**binary.environment(project), "JALON_INSIDE_KEDRO": "1"}, check=False)
    if ended.returncode in (130, 143):
        raise KeyboardInterrupt
    if ended.returncode != 0:
        raise NodeFailed(f"jalon run ended with {ended.returncode}: what failed is told above")


def fetch(project, words, name):
    """What a run left in memory, out of the store."""
    with tempfile.TemporaryDirectory() as scratch:
        place = os.path.join(scratch, "value")
        command = [binary.find(), "get", "-C", str(project), *words, "-o", place, name]
        ended = subprocess.run(command, env=binary.environment(project), capture_output=True, text=True, check=False)
        if ended.returncode != 0:
            raise NodeFailed(f"{name} cannot be had: {ended.stderr.strip()}")
        return memory.load(place)
