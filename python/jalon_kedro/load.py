"""A Kedro project, loaded as `kedro run` loads it up to the first hook of the run.

The steps are those of `KedroSession.run` (Kedro 1.x, framework/session/session.py) and of the command line before it.
"""

import os
import sys
from pathlib import Path


class Problem(Exception):
    """Why there is nothing to run: a code for programs, a text for people, and what to do."""

    def __init__(self, code, message, help=""):
        super().__init__(message)
        self.code, self.message, self.help = code, message, help


class Project:
    """What came of loading."""

    def __init__(self, session, context, pipeline, wide, catalog, request, registered):
        self.session, self.context, self.pipeline, self.catalog = session, context, pipeline, catalog
        # With the nodes whose results are taken from the store or not at all.
        self.wide = wide
        self.hooks = session._hook_manager
        self.request = request
        self.registered = registered
        self.run_id = session.store["session_id"]
        self.nodes = {node.name: node for node in wide.nodes}


def load(request):
    os.environ["DO_NOT_TRACK"] = "1"
    path = Path(request["project"]).resolve()
    try:
        import kedro
    except ImportError as error:
        raise Problem(
            "no-kedro",
            f"{sys.executable} has no kedro: {error}",
            "activate the project's environment, or name its interpreter with --python",
        ) from None
    if int(kedro.__version__.partition(".")[0]) != 1:
        raise Problem("unsupported-kedro", f"Kedro {kedro.__version__} is not supported", "Kedro 1.x is")

    from kedro.framework.project import pipelines
    from kedro.framework.session import KedroSession
    from kedro.framework.startup import bootstrap_project
    from kedro.pipeline import Pipeline

    metadata = bootstrap_project(path)
    if metadata.source_dir != path:
        place = str(metadata.source_dir)
        if place not in sys.path:
            sys.path.insert(0, place)
    session = KedroSession.create(
        project_path=path,
        env=request.get("env"),
        runtime_params=runtime_params(request),
        conf_source=request.get("conf_source"),
    )
    names = request.get("pipelines") or ["__default__"]
    if hasattr(pipelines, "set_requested"):
        pipelines.set_requested(request.get("pipelines") or None)
    context = session.load_context()
    combined = Pipeline([])
    reset_if_unknown(pipelines, names)
    for name in names:
        if name not in pipelines:
            known = ", ".join(sorted(pipelines))
            raise Problem("selection", f"there is no pipeline {name}", f"the project has: {known}")
        combined += pipelines[name]
    try:
        pipeline = combined.filter(
            tags=request.get("tags") or None,
            from_nodes=request.get("from_nodes") or None,
            to_nodes=request.get("to_nodes") or None,
            node_names=request.get("node_names") or None,
            from_inputs=request.get("from_inputs") or None,
            to_outputs=request.get("to_outputs") or None,
            node_namespaces=request.get("namespaces") or None,
        )
    except ValueError as error:
        raise Problem("selection", str(error)) from None
    if "__default__" not in names and hasattr(context, "_pipelines_to_validate"):
        context._pipelines_to_validate = list(names)
    catalog = context._get_catalog(
        save_version=session.store["session_id"], load_versions=request.get("load_versions") or None
    )
    wide = with_makers(pipeline, combined, catalog)
    registered = {name for name in wide.datasets() if name in catalog}
    for name in sorted(wide.datasets()):
        catalog.get(name, fallback_to_runtime_pattern=True)
    if request.get("only_missing_outputs"):
        pipeline = wide = missing_outputs(pipeline, catalog)
    return Project(session, context, pipeline, wide, catalog, request, registered)


def with_makers(pipeline, combined, catalog):
    """A pipeline with the nodes that make what it reads and the catalog does not have; Kedro would refuse it without."""
    from kedro.pipeline import Pipeline

    makers = {name: node for node in combined.nodes for name in node.outputs}
    chosen, waiting = set(pipeline.nodes), list(pipeline.inputs())
    while waiting:
        name = waiting.pop()
        maker = makers.get(name)
        if name in catalog or maker is None or maker in chosen:
            continue
        chosen.add(maker)
        waiting += maker.inputs
    return Pipeline(chosen) if len(chosen) > len(pipeline.nodes) else pipeline


def missing_outputs(pipeline, catalog):
    """What Kedro's own flag leaves of a pipeline: it asks whether outputs exist, not whether they are right."""
    from kedro.runner import SequentialRunner

    rule = getattr(SequentialRunner(), "_filter_pipeline_for_missing_outputs", None)
    if rule is None:
        raise Problem("unsupported-kedro", "this Kedro has no --only-missing-outputs", "leave it out: jalon runs what has to run")
    return rule(pipeline, catalog)


def reset_if_unknown(pipelines, names):
    """Loads all pipelines where one that is asked for cannot be found: so that it can be said which there are."""
    try:
        if all(name in pipelines for name in names):
            return
    except ImportError:
        if not hasattr(pipelines, "set_requested"):
            raise
        pipelines.set_requested(None)
        if all(name in pipelines for name in names):
            raise
    if hasattr(pipelines, "set_requested"):
        pipelines.set_requested(None)


def runtime_params(request):
    """`--params a.b=1,c=x` as Kedro reads it."""
    given = request.get("runtime_params")
    if not given:
        return None
    from omegaconf import OmegaConf

    return OmegaConf.to_container(OmegaConf.from_dotlist([f"{key}={value}" for key, value in given]))


def run_params(project):
    """What Kedro hands to the hooks of a run."""
    from kedro import __version__

    request, context = project.request, project.context
    return {
        "run_id": project.run_id,
        "project_path": context.project_path.as_posix(),
        "env": context.env,
        "kedro_version": __version__,
        "tags": tuple(request.get("tags") or ()),
        "from_nodes": request.get("from_nodes") or [],
        "to_nodes": request.get("to_nodes") or [],
        "node_names": tuple(request.get("node_names") or ()),
        "from_inputs": request.get("from_inputs") or [],
        "to_outputs": request.get("to_outputs") or [],
        "load_versions": request.get("load_versions") or {},
        "runtime_params": project.session.store.get("runtime_params") or {},
        "pipeline_names": request.get("pipelines") or None,
        "namespaces": request.get("namespaces") or [],
        "runner": "JalonRunner",
        "only_missing_outputs": bool(request.get("only_missing_outputs")),
    }
