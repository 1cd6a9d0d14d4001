#!/usr/bin/env python3
"""What DVC, Snakemake, Kedro and jalon do when something changes that nobody declared.

For each way in which a result can depend on something, and for each tool, a small project is made in a
temporary directory and brought up to date; then one thing is edited, and the tool is asked to bring the project up
to date again. Whether the step ran is told by a line that it writes; whether its result is right, by running the
same command on a clean copy. The step declares what a user declares without being told more: its script,
its data, its output. Prints the table of docs/TRACING.md.

    python3 benches/stale.py --jalon target/debug/jalon
    python3 benches/stale.py --jalon target/debug/jalon --tool jalon --way module --json stale.json

The peers go into virtual environments below --venvs, with the versions of benches/stale-requirements. Python 3.11
or newer; only its standard library is used. A way that this machine cannot try (no compiler, one Python) is
left out and said.
"""

import argparse
import base64
import concurrent.futures
import dataclasses
import hashlib
import http.server
import json
import os
import shutil
import subprocess
import sys
import tempfile
import threading
import typing
import zipfile
from pathlib import Path

HERE = Path(__file__).resolve().parent
PEERS = {"dvc": "DVC", "snakemake": "Snakemake", "kedro": "Kedro"}
TOOLS = {
    "dvc": "`dvc repro`",
    "snakemake": "`snakemake --cores 1`",
    "kedro-missing": "`kedro run --only-missing-outputs`",
    "kedro": "`kedro run`",
    "jalon": "`jalon run`",
}

SCRIPT = """\
import os
import sys
{imports}

def compute(text):
    with open({log!r}, "a") as log:
        log.write("ran\\n")
    return str({value}) + "\\n"


if __name__ == "__main__":
    with open(sys.argv[1]) as source, open(sys.argv[2], "w") as target:
        target.write(compute(source.read()))
"""

SHELL = """\
echo ran >> '{log}'
{{ {value}; }} > "$2"
"""

# What a Kedro user writes around a program that is none of Kedro's.
KEDRO_COMMAND = """\
import subprocess


def compute(text):
    subprocess.run({words!r}, check=True)
    with open("made.txt") as made:
        return made.read()
"""

KEDRO = {
    "pyproject.toml": """\
[tool.kedro]
package_name = "stale"
project_name = "stale"
kedro_init_version = "{kedro}"
""",
    "conf/base/catalog.yml": """\
raw:
  type: text.TextDataset
  filepath: data/in.csv
result:
  type: text.TextDataset
  filepath: result.txt
""",
    "conf/local/.gitkeep": "",
    "src/stale/__init__.py": "",
    "src/stale/settings.py": "",
    "src/stale/pipeline_registry.py": """\
from kedro.pipeline import Pipeline, node

from {module} import compute


def register_pipelines():
    return {{"__default__": Pipeline([node(compute, "raw", "result", name="step")])}}
""",
}


class Project:
    """One project of one tool."""

    def __init__(self, place, machine):
        self.place = place
        self.root = place / "project"
        self.machine = machine
        self.log = place / "ran.log"
        self.server = None
        home = place / "home"
        home.mkdir(parents=True)
        self.env = {
            "PATH": os.pathsep.join([str(machine.python(place)), os.environ["PATH"]]),
            "HOME": str(home),
            "TMPDIR": str(place),
            "DVC_NO_ANALYTICS": "1",
            "DO_NOT_TRACK": "1",
            "PYTHONWARNINGS": "ignore",
        }
        for who in ["AUTHOR", "COMMITTER"]:
            self.env |= {f"GIT_{who}_NAME": "stale", f"GIT_{who}_EMAIL": "stale@example.org"}

    def write(self, path, text):
        place = self.root / path
        place.parent.mkdir(parents=True, exist_ok=True)
        place.write_text(text)

    def link(self, path, target):
        place = self.root / path
        place.unlink(missing_ok=True)
        place.parent.mkdir(parents=True, exist_ok=True)
        place.symlink_to(target)

    def call(self, *words, cwd=None):
        done = subprocess.run(
            [str(word) for word in words], cwd=cwd or self.root, env=self.env, capture_output=True, text=True
        )
        if done.returncode:
            raise RuntimeError(f"{' '.join(map(str, words))}: exit {done.returncode}\n{done.stdout}{done.stderr}")
        return done.stdout

    def runs(self):
        return self.log.read_text().count("ran") if self.log.exists() else 0


@dataclasses.dataclass
class Way:
    """One thing that a result depends on."""

    key: str
    title: str
    edit: typing.Callable
    value: str = "text.strip()"
    imports: str = ""
    files: dict = dataclasses.field(default_factory=dict)
    prepare: typing.Callable = lambda project: None
    # Edits with a run after each, before the one that is measured.
    first: tuple = ()
    control: bool = False
    # The script is a shell's, or a Python that Kedro does not run itself.
    shell: bool = False
    foreign: bool = False
    # Variables that the step is to see; a tool with a clean environment has to be told.
    passes: tuple = ()
    needs: str = ""

    @property
    def script(self):
        return "src/main.sh" if self.shell else "src/main.py"

    def command(self, target="result.txt"):
        return ["sh" if self.shell else "python", self.script, "data/in.csv", target]


def writes(path, text):
    return lambda project: project.write(path, text)


def sets(name, value):
    return lambda project: project.env.__setitem__(name, value)


def links(path, target):
    return lambda project: project.link(path, target)


def both(*steps):
    return lambda project: [step(project) for step in steps]


def wheel(place, version):
    """A distribution of one module, as a wheel (PEP 427)."""
    name = f"stalepart-{version}"
    files = {
        "stalepart.py": f"VALUE = 'release {version}'\n",
        f"{name}.dist-info/METADATA": f"Metadata-Version: 2.1\nName: stalepart\nVersion: {version}\n",
        f"{name}.dist-info/WHEEL": "Wheel-Version: 1.0\nGenerator: stale\nRoot-Is-Purelib: true\nTag: py3-none-any\n",
    }
    lines = []
    for path, text in files.items():
        digest = base64.urlsafe_b64encode(hashlib.sha256(text.encode()).digest()).rstrip(b"=").decode()
        lines.append(f"{path},sha256={digest},{len(text)}")
    lines.append(f"{name}.dist-info/RECORD,,")
    files[f"{name}.dist-info/RECORD"] = "\n".join(lines) + "\n"
    with zipfile.ZipFile(place / f"{name}-py3-none-any.whl", "w") as archive:
        for path, text in files.items():
            archive.writestr(path, text)


def installs(version):
    def step(project):
        wheels = project.place / "wheels"
        wheels.mkdir(exist_ok=True)
        wheel(wheels, version)
        python = project.place / "env" / "bin" / "python"
        pip = [sys.executable, "-m", "pip", "--python", python, "--quiet", "--disable-pip-version-check", "install"]
        project.call(*pip, "--no-index", "--find-links", wheels, f"stalepart=={version}")

    return step


def other_python(project):
    place = project.machine.python(project.place, other=True)
    project.env["PATH"] = os.pathsep.join([str(place), project.env["PATH"]])


def compiles(project):
    project.write(
        "src/reader.c",
        '#include <stdio.h>\nint main(void) { int c; FILE *f = fopen("data/table.bin", "r");'
        " while ((c = getc(f)) != EOF) putchar(c); return 0; }\n",
    )
    project.call(project.machine.compiler, "-o", "reader", "src/reader.c")


class Answer(http.server.BaseHTTPRequestHandler):
    """Answers with what the server holds at the moment."""

    def do_GET(self):
        self.send_response(200)
        self.end_headers()
        self.wfile.write(self.server.answer)

    def log_message(self, *_):
        pass


def serves(project):
    project.server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Answer)
    project.server.answer = b"first"
    threading.Thread(target=project.server.serve_forever, daemon=True).start()
    port = project.server.server_port
    value = f"urllib.request.urlopen('http://127.0.0.1:{port}').read().decode()"
    project.write("src/main.py", SCRIPT.format(imports="import urllib.request\n", value=value, log=str(project.log)))


def answers(project):
    project.server.answer = b"second answer"


OPTIONAL = "try:\n    import speedups\nexcept ImportError:\n    speedups = None\n"
READ = "open({!r}).read().strip()".format
TABLE = {"data/table.csv": "1,2,3\n"}

WAYS = [
    Way("module", "a module that the script imports", writes("src/helper.py", "VALUE = 'changed'\n"), "helper.VALUE",
        "import helper\n", {"src/helper.py": "VALUE = 'first'\n"}),
    Way("init", "the `__init__.py` of a package", writes("src/part/__init__.py", "SCALE = 'changed'\n"),
        "part.SCALE + part.deep.BASE", "import part.deep\n",
        {"src/part/__init__.py": "SCALE = 'first'\n", "src/part/deep.py": "BASE = ''\n"}),
    Way("shadow", "a new module that shadows a library's", writes("src/tabnanny.py", "MINE = 'shadow'\n"),
        "getattr(tabnanny, 'MINE', 'library')", "import tabnanny\n"),
    Way("optional", "an optional module that appears (`except ImportError`)", writes("src/speedups.py", ""),
        "'slow' if speedups is None else 'fast'", OPTIONAL),
    Way("find-spec", "the same, asked for with `importlib.util.find_spec`", writes("src/speedups.py", ""),
        "'fast' if importlib.util.find_spec('speedups') else 'slow'", "import importlib.util\n"),
    Way("data", "a data file that the code opens", writes("data/table.csv", "4,5,6,7\n"), READ("data/table.csv"),
        files=TABLE),
    Way("params", "a parameter file that the code opens", writes("params.json", '{"rate": 0.25}\n'),
        "json.load(open('params.json'))['rate']", "import json\n", {"params.json": '{"rate": 0.1}\n'}),
    Way("appears", "a file that was not there (`override.cfg`)", writes("override.cfg", "mine\n"),
        "open('override.cfg').read() if os.path.exists('override.cfg') else 'default'"),
    Way("listing", "a name in a directory (`glob`)", writes("data/parts/b.csv", ""),
        "sorted(glob.glob('data/parts/*.csv'))", "import glob\n", {"data/parts/a.csv": ""}),
    Way("sourced", "a shell script that the script sources", writes("src/lib.sh", "greet() { echo goodbye; }\n"),
        ". ./src/lib.sh; greet", files={"src/lib.sh": "greet() { echo hello; }\n"}, shell=True),
    Way("link", "a link's target, read through", links("data/current", "v2"), READ("data/current/table.csv"),
        files={"data/v1/table.csv": "1\n", "data/v2/table.csv": "second\n"}, prepare=links("data/current", "v1")),
    Way("chdir", "a link's target, entered (`chdir`)", links("data/current", "v2"), "cd data/current; cat table.csv",
        files={"data/v1/table.csv": "1\n", "data/v2/table.csv": "second\n"}, prepare=links("data/current", "v1"),
        shell=True),
    Way("program", "a file that a compiled C program reads", writes("data/table.bin", "changed"), "./reader",
        files={"data/table.bin": "first"}, prepare=compiles, shell=True, needs="compiler"),
    Way("package", "a package that is upgraded", installs("2.0"), "stalepart.VALUE", "import stalepart\n",
        prepare=installs("1.0"), foreign=True),
    Way("interpreter", "another minor version of Python", other_python, "sys.version_info[:2]", foreign=True,
        needs="other"),
    Way("pythonpath", "`PYTHONPATH`", sets("PYTHONPATH", "second"), "helper.VALUE", "import helper\n",
        {"first/helper.py": "VALUE = 1\n", "second/helper.py": "VALUE = 'changed'\n"},
        prepare=sets("PYTHONPATH", "first"), foreign=True),
    Way("timezone", "`TZ`, `LANG`, `LC_*`", sets("TZ", "UTC-5"), "time.localtime(0).tm_hour", "import time\n",
        prepare=sets("TZ", "UTC"), foreign=True),
    Way("variable", "another variable, passed on to the step", sets("RATE", "0.25"), "os.environ['RATE']",
        prepare=sets("RATE", "0.1"), passes=("RATE",)),
    Way("network", "what a server answers", answers, prepare=serves),
    Way("nothing", "nothing changed", lambda project: None, control=True),
    Way("touch", "`touch` of the declared input", lambda project: os.utime(project.root / "data/in.csv"), control=True),
    Way("unrelated", "a comment in another script", writes("src/other.py", "# a remark\nX = 1\n"),
        files={"src/other.py": "X = 1\n"}, control=True),
    Way("beside", "a new script beside", writes("src/another.py", "X = 1\n"), "helper.VALUE", "import helper\n",
        {"src/helper.py": "VALUE = 'first'\n"}, control=True),
    Way("back", "an edit of the declared input taken back", writes("data/in.csv", "input\n"),
        first=(writes("data/in.csv", "another input\n"),), control=True),
]


class Machine:
    """What there is to work with."""

    def __init__(self, arguments):
        self.arguments = arguments
        self.venvs = arguments.venvs
        self.compiler = shutil.which("cc")
        self.pythons = pythons()

    def python(self, place, other=False):
        """The bin/ of a virtual environment with a Python for steps, made once a project."""
        env = place / ("env-other" if other else "env")
        if not env.exists():
            python = self.pythons[1 if other else 0]
            subprocess.run([python, "-m", "venv", "--without-pip", env], check=True)
        return env / "bin"

    def peer(self, name):
        """A peer's program; its environment is made the first time."""
        env = self.venvs / name
        program = env / "bin" / name
        if not program.exists():
            print(f"installing {name} into {env}", file=sys.stderr)
            subprocess.run([sys.executable, "-m", "venv", env], check=True)
            requirements = HERE / "stale-requirements" / f"{name}.txt"
            pip = [env / "bin" / "pip", "install", "--quiet", "--disable-pip-version-check"]
            subprocess.run([*pip, "-r", requirements], check=True)
        return program

    def version(self, name):
        if name == "jalon":
            said = subprocess.run([self.arguments.jalon, "--version"], capture_output=True, text=True, check=True)
            return said.stdout.strip()
        python = self.peer(name).parent / "python"
        code = f"import importlib.metadata as m; print(m.version({name!r}))"
        said = subprocess.run([python, "-c", code], capture_output=True, text=True, check=True)
        return f"{PEERS[name]} {said.stdout.strip()}"

    def lacks(self, way):
        if way.needs == "compiler" and not self.compiler:
            return "no C compiler"
        if way.needs == "other" and len(self.pythons) < 2:
            return "one Python only"
        return None


def pythons():
    """Two interpreters of different minor versions, if there are: this one first."""
    found = {sys.version_info[:2]: sys.executable}
    places = [Path(place) for place in os.environ["PATH"].split(os.pathsep)]
    places += sorted(Path.home().glob(".pyenv/versions/3.*/bin"))
    for minor in range(14, 7, -1):
        for place in places:
            program = place / f"python3.{minor}"
            if (3, minor) in found or not program.exists() or place.name == "shims":
                continue
            done = subprocess.run([program, "-c", "import venv"], capture_output=True)
            if done.returncode == 0:
                found[3, minor] = str(program)
    return list(found.values())


def fill(project, way):
    """The files that all tools share."""
    project.write("data/in.csv", "input\n")
    for path, text in way.files.items():
        project.write(path, text)
    form = SHELL if way.shell else SCRIPT
    imports = f"{way.imports}\n" if way.imports else ""
    project.write(way.script, form.format(imports=imports, value=way.value, log=str(project.log)))
    way.prepare(project)


class Jalon:
    def __init__(self, machine):
        self.program = Path(machine.arguments.jalon).resolve()

    def define(self, project, way):
        words = " ".join(way.command("{{out.result}}")).replace("data/in.csv", "{{in.raw}}")
        passes = f"pass_env = {json.dumps(way.passes)}\n" if way.passes else ""
        project.write(
            "jalon.toml",
            f'[source]\nraw = "data/in.csv"\n\n[node.step]\ncmd = "{words}"\ncode = ["{way.script}"]\n'
            f'in = ["raw"]\nout = {{ result = "result.txt" }}\n{passes}',
        )

    def update(self, project):
        said = json.loads(project.call(self.program, "run", "--json"))
        node = said["nodes"][0]
        return {
            "traced": node["traced"],
            "undeclared": node.get("undeclared", []),
            "notices": [notice["code"] for notice in said["notices"]],
        }


class Dvc:
    def __init__(self, machine):
        self.program = machine.peer("dvc")

    def define(self, project, way):
        project.call("git", "init", "-q")
        project.call(self.program, "init", "-q")
        project.write(
            "dvc.yaml",
            f"stages:\n  step:\n    cmd: {' '.join(way.command())}\n    deps:\n      - {way.script}\n"
            "      - data/in.csv\n    outs:\n      - result.txt\n",
        )

    def update(self, project):
        project.call(self.program, "repro", "-q")


class Snakemake:
    def __init__(self, machine):
        self.program = machine.peer("snakemake")

    def define(self, project, way):
        runner = way.command()[0]
        project.write(
            "Snakefile",
            f'rule step:\n    input: script="{way.script}", data="data/in.csv"\n    output: "result.txt"\n'
            f'    shell: "{runner} {{input.script}} {{input.data}} {{output}}"\n',
        )

    def update(self, project):
        project.call(self.program, "--cores", "1", "--quiet", "all")


class Kedro:
    def __init__(self, machine, *flags):
        self.program = machine.peer("kedro")
        self.version = machine.version("kedro").split()[-1]
        self.flags = flags

    def define(self, project, way):
        foreign = way.shell or way.foreign
        for path, text in KEDRO.items():
            project.write(path, text.format(kedro=self.version, module="step" if foreign else "main"))
        if foreign:
            project.write("src/step.py", KEDRO_COMMAND.format(words=way.command("made.txt")))

    def update(self, project):
        project.call(self.program, "run", *self.flags)


def tool(name, machine):
    makers = {
        "jalon": lambda: Jalon(machine),
        "dvc": lambda: Dvc(machine),
        "snakemake": lambda: Snakemake(machine),
        "kedro": lambda: Kedro(machine),
        "kedro-missing": lambda: Kedro(machine, "--only-missing-outputs"),
    }
    return makers[name]()


def clean_run(project, way):
    """What the step gives on a clean copy, without any tool."""
    copy = project.place / "clean"
    state = shutil.ignore_patterns("__pycache__", ".*", "result.txt", "made.txt")
    shutil.copytree(project.root, copy, symlinks=True, ignore=state)
    project.call(*way.command(), cwd=copy)
    return (copy / "result.txt").read_text()


def try_out(name, way, machine, place):
    """One cell."""
    project = Project(place, machine)
    one = tool(name, machine)
    fill(project, way)
    one.define(project, way)
    one.update(project)
    for edit in way.first:
        edit(project)
        one.update(project)
    before = project.runs()
    if before == 0:
        raise RuntimeError(f"{name}, {way.key}: the first run did not run the step")
    way.edit(project)
    told = one.update(project)
    ran = project.runs() > before
    result = (project.root / "result.txt").read_text()
    right = result == clean_run(project, way)
    if project.server:
        project.server.shutdown()
    return {"ran": ran, "right": right, "result": result.strip()} | (told or {})


def word(way, cell):
    if cell is None:
        return "not measured"
    if not cell["right"]:
        return "**STALE**" if not cell["ran"] else "**wrong**, though it ran"
    if way.control:
        return "ran needlessly" if cell["ran"] else "reused"
    return "right" if cell["ran"] else "right, without running"


def table(ways, tools, cells, machine):
    names = {"dvc": "dvc", "snakemake": "snakemake", "kedro": "kedro", "kedro-missing": "kedro", "jalon": "jalon"}
    head = ["what is edited", *(f"{machine.version(names[name])}: {TOOLS[name]}" for name in tools)]
    lines = ["| " + " | ".join(head) + " |", "|" + "---|" * len(head)]
    for control in (False, True):
        some = [way for way in ways if way.control == control]
        if control and some:
            lines.append("| *nothing that counts:* |" + " |" * len(tools))
        for way in some:
            words = [word(way, cells.get((name, way.key))) for name in tools]
            lines.append("| " + " | ".join([way.title, *words]) + " |")
    return "\n".join(lines)


def measure(arguments, machine, ways, place):
    cells = {}
    for name in {name.split("-")[0] for name in arguments.tool} - {"jalon"}:
        machine.peer(name)
    with concurrent.futures.ThreadPoolExecutor(arguments.jobs) as pool:
        waiting = {}
        for way in ways:
            lack = machine.lacks(way)
            if lack:
                print(f"not measured: {way.title}: {lack}", file=sys.stderr)
                continue
            for name in arguments.tool:
                cell = pool.submit(try_out, name, way, machine, place / f"{way.key}-{name}")
                waiting[cell] = (name, way)
        for cell in concurrent.futures.as_completed(waiting):
            name, way = waiting[cell]
            cells[name, way.key] = cell.result()
            print(f"{way.key}, {name}: {word(way, cell.result())}", file=sys.stderr)
    return cells


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n\n")[0])
    parser.add_argument("--jalon", default="target/debug/jalon", help="the binary")
    parser.add_argument("--venvs", type=Path, default=Path("target/stale-venvs"), help="where the peers are installed")
    parser.add_argument("--tool", action="append", choices=TOOLS, help="only this one (repeatable)")
    parser.add_argument("--way", action="append", choices=[way.key for way in WAYS], help="only this one (repeatable)")
    parser.add_argument("--jobs", type=int, default=2, help="projects tried at the same time")
    parser.add_argument("--json", type=Path, help="write every cell here")
    arguments = parser.parse_args()
    arguments.tool = arguments.tool or list(TOOLS)
    arguments.venvs = arguments.venvs.resolve()
    machine = Machine(arguments)
    ways = [way for way in WAYS if not arguments.way or way.key in arguments.way]
    with tempfile.TemporaryDirectory(prefix="stale-") as place:
        cells = measure(arguments, machine, ways, Path(place).resolve())
    print(table(ways, arguments.tool, cells, machine))
    if arguments.json:
        rows = [{"tool": name, "way": way} | cell for (name, way), cell in sorted(cells.items())]
        arguments.json.write_text(json.dumps({"schema": 1, "cells": rows}, indent=1) + "\n")


if __name__ == "__main__":
    main()
