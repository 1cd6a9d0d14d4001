//! Stages of the libraries that people use do not run again for nothing: not the next time, not from another home
//! directory, not without byte code or beside new files. `JALON_TEST_ROUNDS=50` repeats it more often.

use std::fs;
use std::path::Path;
use std::process::Command;

use crate::ground::{python, shown};

const DEFINITION: &str = r#"
[pipeline]
vars = { py = "PYTHON" }

[defaults]
pass_env = ["LOG"]

[source]
raw = "raw.csv"

[node.frame]
cmd = "echo frame >> \"$LOG\"; {{py}} frame.py {{in.raw}} {{out.table}}"
in = ["raw"]
out = { table = "table.parquet" }

[node.model]
cmd = "echo model >> \"$LOG\"; {{py}} model.py {{in.table}} {{out.model}}"
in = ["table"]
out = { model = "model.pkl" }

[node.plot]
cmd = "echo plot >> \"$LOG\"; {{py}} plot.py {{in.table}} {{out.plot}}"
in = ["table"]
out = { plot = "plot.png" }

[node.words]
cmd = "echo words >> \"$LOG\"; sort -t, -k2 {{in.raw}} | awk -F, '{ n += $2 } END { print n }' | sed 's/^/sum /' > {{out.words}}"
in = ["raw"]
out = { words = "words.txt" }

[node.odd]
cmd = "echo odd >> \"$LOG\"; date > /dev/null; cat /proc/self/stat /proc/loadavg > /dev/null; t=$(mktemp); echo $$ > \"$t\"; cat \"$t\" > /dev/null; rm \"$t\"; {{py}} odd.py > {{out.odd}}"
out = { odd = "odd.txt" }
"#;

const ODD: &str = r#"
import fcntl, os, random, tempfile, time
lock = os.path.join(tempfile.gettempdir(), f"odd-{random.random()}.lock")
with open(lock, "w") as file:
    fcntl.flock(file, fcntl.LOCK_EX)
    file.write(str(os.getpid()))
os.remove(lock)
time.time(); os.urandom(4); os.listdir("/proc/self/fd")
print("odd")
"#;

#[test]
fn nothing_runs_again_for_nothing() {
    let Some(python) = python() else { return };
    let base = std::env::temp_dir().join(format!("jalon-steady-{}", std::process::id()));
    let _ = fs::remove_dir_all(&base);
    let project = base.join("project");
    fs::create_dir_all(project.join("lib")).expect("a scratch directory");
    let write =
        |name: &str, text: &str| fs::write(project.join(name), text).expect("it can be written");
    write(
        "jalon.toml",
        &DEFINITION.replace("PYTHON", &python.to_string_lossy()),
    );
    write("raw.csv", "x,y\n1,2\n3,5\n4,1\n7,9\n");
    write("lib/__init__.py", "");
    write("lib/helper.py", "def double(x):\n    return 2 * x\n");
    write(
        "frame.py",
        "import sys, pandas\nfrom lib.helper import double\ndouble(pandas.read_csv(sys.argv[1])).to_parquet(sys.argv[2])\n",
    );
    write(
        "model.py",
        "import sys, pickle, pandas\nfrom sklearn.linear_model import LinearRegression\nt = pandas.read_parquet(sys.argv[1])\npickle.dump(LinearRegression().fit(t[['x']], t['y']), open(sys.argv[2], 'wb'))\n",
    );
    write(
        "plot.py",
        "import sys, pandas, matplotlib\nmatplotlib.use('agg')\nfrom matplotlib import pyplot\npandas.read_parquet(sys.argv[1]).plot.scatter('x', 'y')\npyplot.savefig(sys.argv[2])\n",
    );
    write("odd.py", ODD);
    let log = base.join("log");
    let run = |home: &str| {
        let home = base.join(home);
        fs::create_dir_all(&home).expect("a home");
        let mut command = Command::new(env!("CARGO_BIN_EXE_jalon"));
        command.current_dir(&project).args(["run", "--json"]);
        command
            .env("HOME", home)
            .env("LOG", &log)
            .env_remove("JALON_STORE");
        let output = command.output().expect("jalon starts");
        assert!(output.status.success(), "{}", shown(&output));
        let ran = fs::read_to_string(&log).unwrap_or_default();
        let _ = fs::remove_file(&log);
        (ran, shown(&output))
    };
    let (ran, told) = run("home");
    assert_eq!(ran.lines().count(), 5, "{told}");
    assert!(told.contains("\"notices\":[]"), "false alarms: {told}");
    for round in 0..rounds() {
        let _ = fs::remove_dir_all(project.join(".jalon/settled"));
        let home = match round % 5 {
            0 => "home".to_owned(),
            _ => format!("home{round}"),
        };
        match round % 5 {
            1 => write(&format!("new{round}.py"), "x = 1\n"),
            2 => write(&format!("lib/new{round}.py"), "x = 1\n"),
            3 => without_byte_code(&project),
            4 => write("raw.csv", "x,y\n1,2\n3,5\n4,1\n7,9\n"),
            _ => {}
        }
        let (ran, told) = run(&home);
        assert_eq!(ran, "", "round {round}: {told}");
    }
    let _ = fs::remove_dir_all(&base);
}

fn without_byte_code(project: &Path) {
    for directory in ["__pycache__", "lib/__pycache__"] {
        let _ = fs::remove_dir_all(project.join(directory));
    }
}

fn rounds() -> u32 {
    let set = std::env::var("JALON_TEST_ROUNDS").ok();
    set.and_then(|text| text.parse().ok()).unwrap_or(6)
}
