"""Writes down what happens, where ROOKERY_EVENTS names a file."""

import os

from kedro.framework.hooks import hook_impl


def note(*words):
    path = os.environ.get("ROOKERY_EVENTS")
    if path:
        with open(path, "a") as log:
            log.write(" ".join(map(str, words)) + "\n")


class EventLog:
    @hook_impl
    def after_context_created(self, context):
        note("after_context_created")

    @hook_impl
    def after_catalog_created(self, catalog):
        note("after_catalog_created")

    @hook_impl
    def before_pipeline_run(self, run_params):
        note("before_pipeline_run")

    @hook_impl
    def before_dataset_loaded(self, dataset_name, node):
        note("before_dataset_loaded", dataset_name, node.name)

    @hook_impl
    def after_dataset_loaded(self, dataset_name, node):
        note("after_dataset_loaded", dataset_name, node.name)

    @hook_impl
    def before_node_run(self, node):
        note("before_node_run", node.name)

    @hook_impl
    def after_node_run(self, node, outputs):
        note("after_node_run", node.name, *outputs)

    @hook_impl
    def on_node_error(self, error, node):
        note("on_node_error", node.name, type(error).__name__)

    @hook_impl
    def before_dataset_saved(self, dataset_name, node):
        note("before_dataset_saved", dataset_name, node.name)

    @hook_impl
    def after_dataset_saved(self, dataset_name, node):
        note("after_dataset_saved", dataset_name, node.name)

    @hook_impl
    def after_pipeline_run(self, run_result):
        note("after_pipeline_run", *sorted(run_result))

    @hook_impl
    def on_pipeline_error(self, error):
        note("on_pipeline_error", type(error).__name__)
