"""A session: the project is loaded once, and a process is forked for each node that is to run.

The conversation, jalon's part on the left:

                                        {"described": …} or {"failed": {"code", "message", "help", "traceback"}}
    {"begin": {"hooks": true}}          before_pipeline_run fires, unless Kedro itself runs this; {"begun": true}
    {"run": id, "node": …} + 2 descriptors for its output (see `node.run` for the rest)
                                        {"forked": id, "pid": …}, later {"ended": id, "status", "user", "system", "max_rss"}
    {"finish": {"status": …, "memory": {dataset: file}, "hits": [{"node", "memory"}…], "error": …}}
                                        the hooks of nodes that were reused fire where that is wanted, then
                                        after_pipeline_run or on_pipeline_error; {"finished": {"skipped": {node: why}}}, the end

A node with "own_process": false runs here, and its "pid" is the session's. When jalon is gone, so is everything here.
"""

import ctypes
import gc
import os
import pickle
import resource
import selectors
import signal
import sys
import traceback

from . import describe, load, memory, node, variables
from .channel import Channel

PR_SET_CHILD_SUBREAPER = 36


class Session:
    def __init__(self, channel, project):
        self.channel, self.project = channel, project
        self.children = {}
        self.hooked = True
        self.waiting = selectors.DefaultSelector()
        self.waiting.register(channel, selectors.EVENT_READ, None)

    def serve(self):
        while True:
            for key, _ in self.waiting.select():
                if key.data is not None:
                    self.ended(key.data)
                    continue
                message, descriptors = self.channel.receive()
                if message is None:
                    return self.abandoned()
                if "finish" in message:
                    return self.finish(message["finish"])
                if "begin" in message:
                    self.hooked = message["begin"].get("hooks", True)
                    self.begin()
                elif "run" in message:
                    self.run(message, descriptors)

    def begin(self):
        project = self.project
        if not self.hooked:
            return self.channel.send({"begun": True})
        try:
            project.hooks.hook.before_pipeline_run(
                run_params=load.run_params(project), pipeline=project.pipeline, catalog=project.catalog
            )
        except Exception as error:
            node.trimmed(error)
            return self.channel.send({"failed": problem(error)})
        return self.channel.send({"begun": True})

    def run(self, message, descriptors):
        if message.get("own_process", True):
            return self.fork(message, descriptors)
        self.channel.send({"forked": message["run"], "pid": os.getpid()})
        before = resource.getrusage(resource.RUSAGE_SELF)
        memory.tell("node")
        variables.forget()
        code = redirected(descriptors, lambda: node.run(self.project, message))
        memory.tell("session")
        after = resource.getrusage(resource.RUSAGE_SELF)
        return self.channel.send(
            {
                "ended": message["run"],
                "status": code << 8,
                "user": after.ru_utime - before.ru_utime,
                "system": after.ru_stime - before.ru_stime,
                "max_rss": after.ru_maxrss * 1024,
            }
        )

    def fork(self, message, descriptors):
        sys.stdout.flush()
        sys.stderr.flush()
        pid = os.fork()
        if pid == 0:
            code = 70
            try:
                become_node(self.channel, descriptors)
                code = node.run(self.project, message)
                sys.stdout.flush()
                sys.stderr.flush()
            except SystemExit as error:
                code = error.code if isinstance(error.code, int) else int(error.code is not None)
            except BaseException as error:
                node.trimmed(error)
                code = 1
            finally:
                os._exit(code)
        for descriptor in descriptors:
            os.close(descriptor)
        process = os.pidfd_open(pid)
        self.children[process] = (message["run"], pid)
        self.waiting.register(process, selectors.EVENT_READ, process)
        self.channel.send({"forked": message["run"], "pid": pid})

    def ended(self, process):
        run, pid = self.children.pop(process)
        self.waiting.unregister(process)
        os.close(process)
        _, status, usage = os.wait4(pid, 0)
        self.channel.send(
            {
                "ended": run,
                "status": status,
                "user": usage.ru_utime,
                "system": usage.ru_stime,
                "max_rss": usage.ru_maxrss * 1024,
            }
        )

    def finish(self, how):
        project = self.project
        skipped = {}
        for hit in how.get("hits") or []:
            why = node.replay(project, hit)
            if why:
                skipped[hit["node"]] = why
        made = node.kept_dataset()
        for name, place in (how.get("memory") or {}).items():
            project.catalog._datasets[name] = made(place)
        try:
            if not self.hooked:
                pass
            elif how["status"] == "succeeded":
                result = {name: project.catalog[name] for name in project.pipeline.outputs()}
                project.hooks.hook.after_pipeline_run(
                    run_params=load.run_params(project),
                    run_result=result,
                    pipeline=project.pipeline,
                    catalog=project.catalog,
                )
            else:
                project.hooks.hook.on_pipeline_error(
                    error=raised(how.get("error") or {}),
                    run_params=load.run_params(project),
                    pipeline=project.pipeline,
                    catalog=project.catalog,
                )
            project.session.close()
        except Exception as error:
            node.trimmed(error)
            return self.channel.send({"failed": problem(error)})
        return self.channel.send({"finished": {"skipped": skipped}})

    def abandoned(self):
        for _, pid in self.children.values():
            try:
                os.killpg(pid, signal.SIGKILL)
            except OSError:
                pass


def raised(error):
    """The exception that a node ended with, itself where it could be handed over."""
    try:
        return pickle.loads(bytes.fromhex(error["pickle"]))
    except Exception:
        return RuntimeError(error.get("message") or "the run was stopped")


def become_node(channel, descriptors):
    """What is forked leads a session of its own, from which nothing that it starts gets lost."""
    os.setsid()
    try:
        ctypes.CDLL(None).prctl(PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0)
    except (OSError, AttributeError):
        pass
    channel.close()
    null = os.open(os.devnull, os.O_RDONLY)
    os.dup2(null, 0)
    os.close(null)
    for number, descriptor in enumerate(descriptors[:2], start=1):
        os.dup2(descriptor, number)
        os.close(descriptor)
    memory.tell("node")
    variables.forget()


def redirected(descriptors, work):
    sys.stdout.flush()
    sys.stderr.flush()
    before = [os.dup(1), os.dup(2)]
    try:
        for number, descriptor in enumerate(descriptors[:2], start=1):
            os.dup2(descriptor, number)
            os.close(descriptor)
        return work()
    finally:
        sys.stdout.flush()
        sys.stderr.flush()
        for number, descriptor in enumerate(before, start=1):
            os.dup2(descriptor, number)
            os.close(descriptor)


def problem(error):
    if isinstance(error, load.Problem):
        return {"code": error.code, "message": error.message, "help": error.help, "traceback": ""}
    missing, seen = error, set()
    while missing is not None and not isinstance(missing, ModuleNotFoundError) and id(missing) not in seen:
        seen.add(id(missing))
        missing = missing.__cause__ or missing.__context__
    return {
        "code": "missing-package" if missing else "load",
        "message": f"{type(error).__name__}: {error}",
        "help": "install it into the project's environment" if missing else "",
        "traceback": traceback.format_exc(),
    }


def main(request):
    # The socket keeps its own number: whatever reads standard input finds nothing.
    channel = Channel(os.dup(0))
    null = os.open(os.devnull, os.O_RDONLY)
    os.dup2(null, 0)
    os.close(null)
    variables.watch()
    # Almost nothing that is imported becomes garbage: looking for it takes longer than what it would give back.
    gc.disable()
    try:
        project = load.load(request)
        told = describe.describe(project)
    except BaseException as error:
        channel.send({"failed": problem(error)})
        if not isinstance(error, (Exception, SystemExit)):
            raise
        return 3
    # What is there now stays. To look it through in each node's process would copy every page of it there.
    gc.freeze()
    gc.enable()
    channel.send({"described": told})
    Session(channel, project).serve()
    return 0
