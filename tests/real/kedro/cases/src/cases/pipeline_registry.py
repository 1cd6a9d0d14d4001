"""The cases: what each node reads (by node and output) and makes, and which nodes have to run.

A made output is `+` registered and there, `-` registered and missing, `~` in memory and not registered, `=` in memory and
registered as such.
"""

import os

from kedro.pipeline import Pipeline, node

CASES = {
    "all_outputs_missing": ([([], "-")], [0]),
    "the_final_output_exists": ([([], "~"), ([(0, 0)], "+")], []),
    "the_final_output_is_missing_behind_memory": ([([], "~"), ([(0, 0)], "-")], [0, 1]),
    "a_persistent_intermediate_exists": ([([], "+"), ([(0, 0)], "-")], [1]),
    "two_chains_both_intermediates_exist": ([([], "+"), ([(0, 0)], "-"), ([], "+"), ([(2, 0)], "-")], [1, 3]),
    "three_branches_one_of_them_whole": (
        [([], "~"), ([(0, 0)], "+"), ([], "~"), ([(2, 0)], "-"), ([], "~"), ([(4, 0)], "-")],
        [2, 3, 4, 5],
    ),
    "what_only_a_skipped_node_reads": ([([], "~"), ([], "~"), ([(0, 0), (1, 0)], "+")], []),
    "a_factory_output_is_missing": ([([], "+"), ([(0, 0)], "-")], [1]),
    "a_diamond_of_memory": ([([], "~"), ([(0, 0)], "~"), ([(0, 0)], "~"), ([(1, 0), (2, 0)], "-")], [0, 1, 2, 3]),
    "a_memory_output_alone": ([([], "~")], []),
    "a_registered_memory_output_alone": ([([], "=")], []),
    "a_persistent_output_that_exists": ([([], "+")], []),
    "one_output_in_memory_one_missing": ([([], "~-")], [0]),
    "one_output_in_memory_one_there": ([([], "~+")], []),
    "a_node_without_outputs": ([([], "+"), ([(0, 0)], ""), ([(0, 0)], "+")], [1]),
    "registered_memory_is_needed_by_what_is_missing": ([([], "="), ([(0, 0)], "-")], [0, 1]),
    "nodes_without_outputs_among_others": (
        [([], "+"), ([(0, 0)], ""), ([(0, 0)], "+"), ([(2, 0)], ""), ([(2, 0)], "+")],
        [1, 3],
    ),
    "a_node_without_outputs_pulls_its_memory": ([([], "~"), ([(0, 0)], "")], [0, 1]),
    "a_missing_intermediate_whose_end_exists": ([([], "-"), ([(0, 0)], "+")], [0]),
    "need_goes_through_a_chain_of_memory": ([([], "+"), ([(0, 0)], "~"), ([(1, 0)], "~"), ([(2, 0)], "-")], [1, 2, 3]),
}

PREFIX = {"+": "kept_", "-": "kept_", "~": "", "=": "memory_"}


def names(case):
    """By node: the names of its outputs."""
    nodes, _ = CASES[case]
    return [[f"{PREFIX[how]}{case}_{at}_{output}" for output, how in enumerate(makes)] for at, (_, makes) in enumerate(nodes)]


def step(name, count):
    def run(*inputs):
        with open(os.environ["CASES_LOG"], "a") as log:
            log.write(name + "\n")
        made = [f"{name}.{at} of {list(inputs)}" for at in range(count)]
        return made or None

    run.__name__ = run.__qualname__ = f"step_{name}"
    return run


def pipeline(case):
    made = names(case)
    nodes = []
    for at, (reads, makes) in enumerate(CASES[case][0]):
        inputs = [made[of][output] for of, output in reads] or ["seed"]
        name = f"{case}.{at}"
        nodes.append(node(step(name, len(makes)), inputs, made[at] or None, name=name))
    return Pipeline(nodes)


def register_pipelines():
    pipelines = {case: pipeline(case) for case in CASES}
    pipelines["__default__"] = sum(pipelines.values())
    return pipelines
