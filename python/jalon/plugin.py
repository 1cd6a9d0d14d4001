"""`kedro jalon …`: any command of the binary, in the project."""

import subprocess
import sys
from pathlib import Path

import click


@click.group(name="jalon")
def commands():
    """Commands that Kedro finds by their entry point."""


@commands.command(
    name="jalon",
    context_settings={"ignore_unknown_options": True, "help_option_names": []},
    add_help_option=False,
)
@click.argument("words", nargs=-1, type=click.UNPROCESSED)
@click.pass_obj
def jalon(metadata, words):
    """Run a command of jalon in this project: run, plan, explain, graph, log, …"""
    from jalon import binary

    project = getattr(metadata, "project_path", None) or Path.cwd()
    try:
        program = binary.find()
    except binary.NoBinary as error:
        raise click.ClickException(str(error)) from None
    command = [program, *(words or ("--help",)), "-C", str(project)]
    if words and words[0] in ("run", "plan", "explain", "graph"):
        command += ["--python", sys.executable]
    sys.exit(subprocess.run(command, env=binary.environment(project), check=False).returncode)
