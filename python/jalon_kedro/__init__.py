"""jalon's side in a Kedro project: loads it, says what it consists of, and runs single nodes of it.

jalon starts `start.py` with the project's own interpreter and speaks with it over a socket (`channel`). `load`
does what `kedro run` does before the first node, `describe` says what came of it, `serve` forks a process for
each node that is to run, in which `node` runs Kedro's own `Task`. Nothing here decides what has to run.
"""
