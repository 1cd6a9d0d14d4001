//! A project in a directory of its own, the real `jalon` run in it, and what its nodes did.
//!
//! Layout of the scratch directory: `project/`, `home/`, `executed` (one line for each execution of a
//! node), `store/` where a test shares one. It goes when the test passes, and stays when it fails.

use std::collections::BTreeMap;
use std::fmt;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::{Duration, Instant};

use serde_json::Value;

/// Longer than anything here takes; a run that takes longer hangs.
const PATIENCE: Duration = Duration::from_secs(120);

/// Four kinds of node: a script that can cut off, a matrix with parameters, a fan-in, two outputs.
///
/// `clean` drops comment lines from `raw.txt`; `train[a]` and `train[b]` add their own parameters;
/// `evaluate` joins the models and counts their lines.
pub const FIXTURE: &str = r#"
[pipeline]
name = "fixture"
params = ["params.yml"]

[defaults]
pass_env = ["LOG"]

[source]
raw = "raw.txt"

[node.clean]
cmd = '''echo clean >> "$LOG"; sh clean.sh {{in.raw}} > {{out.clean}}'''
code = ["clean.sh"]
in = ["raw"]
out = { clean = "data/clean.txt" }

[node.train]
matrix = { model = ["a", "b"] }
cmd = '''echo train'['{{matrix.model}}']' >> "$LOG"; cat {{in.clean}} {{params.file}} > {{out.model}}'''
in = ["clean"]
params = ["train.{{matrix.model}}"]
out = { model = "models/{{matrix}}.txt" }
tags = ["slow"]

[node.evaluate]
cmd = '''echo evaluate >> "$LOG"; sh evaluate.sh {{in.model}} > {{out.joined}}; printf '{"lines": %d}\n' "$(wc -l < {{out.joined}})" > {{out.metrics}}'''
code = ["evaluate.sh"]
in = ["model[*]"]
[node.evaluate.out]
joined = "joined.txt"
metrics = { path = "metrics.json", kind = "metrics" }
"#;

/// What `FIXTURE` executes when nothing is known.
pub const FIXTURE_NODES: [&str; 4] = ["clean", "evaluate", "train[a]", "train[b]"];

/// A directory with a project, and the environment in which jalon runs there.
pub struct Project {
    base: PathBuf,
    /// The project's directory.
    pub dir: PathBuf,
    env: BTreeMap<String, String>,
    launcher: Vec<String>,
}

impl Project {
    /// A project with this definition and nothing else.
    pub fn new(definition: &str) -> Self {
        static COUNT: AtomicU32 = AtomicU32::new(0);
        let base = std::env::temp_dir().join(format!(
            "jalon-it-{}-{}",
            std::process::id(),
            COUNT.fetch_add(1, Ordering::Relaxed)
        ));
        let _ = fs::remove_dir_all(&base);
        let dir = base.join("project");
        for directory in [&dir, &base.join("home"), &base.join("tmp")] {
            fs::create_dir_all(directory).expect("the scratch directory can be made");
        }
        let path = std::env::var("PATH").expect("PATH is set");
        let env = BTreeMap::from([
            ("PATH".to_owned(), path),
            ("HOME".to_owned(), text(&base.join("home"))),
            ("TMPDIR".to_owned(), text(&base.join("tmp"))),
            ("LOG".to_owned(), text(&base.join("executed"))),
            ("NO_COLOR".to_owned(), "1".to_owned()),
        ]);
        let project = Project {
            base,
            dir,
            env,
            launcher: Vec::new(),
        };
        project.write("jalon.toml", definition);
        project
    }

    /// [`FIXTURE`] with its files.
    pub fn fixture() -> Self {
        let project = Project::new(FIXTURE);
        project.write("raw.txt", "# a comment\none\ntwo\n");
        project.write("clean.sh", "grep -v '^#' \"$1\"\n");
        project.write("evaluate.sh", "cat \"$@\"\n");
        project.write(
            "params.yml",
            "train:\n  a: {rate: 0.1}\n  b: {rate: 0.2}\nunused: 1\n",
        );
        project
    }

    /// Keeps the store outside the project, where clones can share it.
    pub fn with_store(mut self) -> Self {
        let store = text(&self.base.join("store"));
        self.env.insert("JALON_STORE".to_owned(), store);
        self
    }

    /// Another directory with the same files (what jalon keeps aside), the same store and log.
    pub fn copy(&self) -> Self {
        let mut other = Project::new("");
        other.env.insert("LOG".to_owned(), self.env["LOG"].clone());
        if let Some(store) = self.env.get("JALON_STORE") {
            other.env.insert("JALON_STORE".to_owned(), store.clone());
        }
        copy_tree(&self.dir, &other.dir);
        other
    }

    /// Sets a variable of the environment that jalon runs in.
    pub fn set_env(&mut self, name: &str, value: &str) {
        self.env.insert(name.to_owned(), value.to_owned());
    }

    /// Runs jalon through another program, such as `setpriv`.
    pub fn set_launcher(&mut self, words: &[&str]) {
        self.launcher = words.iter().map(|&word| word.to_owned()).collect();
    }

    /// A file or directory beside the project, in the scratch directory.
    pub fn beside(&self, name: &str) -> PathBuf {
        self.base.join(name)
    }

    /// Where blobs and records lie.
    pub fn store(&self) -> PathBuf {
        match self.env.get("JALON_STORE") {
            Some(path) => PathBuf::from(path),
            None => self.dir.join(".jalon/store"),
        }
    }

    /// A path below the project.
    pub fn path(&self, path: &str) -> PathBuf {
        self.dir.join(path)
    }

    /// Writes a file, with its directories.
    pub fn write(&self, path: &str, content: impl AsRef<[u8]>) {
        let path = self.dir.join(path);
        fs::create_dir_all(path.parent().expect("a file has a parent"))
            .expect("directories can be made");
        fs::write(&path, content).unwrap_or_else(|error| panic!("{}: {error}", path.display()));
    }

    /// Lets everyone execute a file.
    pub fn set_executable(&self, path: &str) {
        use std::os::unix::fs::PermissionsExt;
        fs::set_permissions(self.dir.join(path), fs::Permissions::from_mode(0o755))
            .expect("permissions can be set");
    }

    /// Reads a file that must be there.
    pub fn read(&self, path: &str) -> String {
        let path = self.dir.join(path);
        fs::read_to_string(&path).unwrap_or_else(|error| panic!("{}: {error}", path.display()))
    }

    /// Whether something lies there.
    pub fn exists(&self, path: &str) -> bool {
        self.dir.join(path).symlink_metadata().is_ok()
    }

    /// Removes a file or a directory.
    pub fn remove(&self, path: &str) {
        let path = self.dir.join(path);
        let removed = if path.is_dir() {
            fs::remove_dir_all(&path)
        } else {
            fs::remove_file(&path)
        };
        removed.unwrap_or_else(|error| panic!("{}: {error}", path.display()));
    }

    /// Replaces a piece of text that must be in the file.
    pub fn edit(&self, path: &str, old: &str, new: &str) {
        let before = self.read(path);
        assert!(
            before.contains(old),
            "{path} does not contain {old:?}:\n{before}"
        );
        self.write(path, before.replace(old, new));
    }

    /// What executed since the last call, sorted.
    pub fn executed(&self) -> Vec<String> {
        let mut names = self.executed_in_order();
        names.sort();
        names
    }

    /// What executed since the last call, in the order of starting.
    pub fn executed_in_order(&self) -> Vec<String> {
        let log = &self.env["LOG"];
        let names = fs::read_to_string(log).unwrap_or_default();
        let _ = fs::remove_file(log);
        names.lines().map(str::to_owned).collect()
    }

    /// Runs jalon in the project to its end.
    pub fn jalon(&self, args: &[&str]) -> Output {
        self.start(args).wait()
    }

    /// `jalon run --json …`, whatever comes of it.
    pub fn run(&self, args: &[&str]) -> Run {
        let mut words = vec!["run", "--json"];
        words.extend(args);
        Run::read(self.jalon(&words))
    }

    /// `jalon run --json …`, which must succeed.
    pub fn run_ok(&self, args: &[&str]) -> Run {
        let run = self.run(args);
        assert_eq!(
            run.output.code, 0,
            "the run should succeed:\n{}",
            run.output
        );
        assert_eq!(run.json["status"], "succeeded", "{}", run.output);
        run
    }

    /// A command whose reply is one JSON object on stdout.
    pub fn json(&self, args: &[&str]) -> Value {
        self.jalon(args).json()
    }

    /// Starts jalon and returns at once.
    pub fn start(&self, args: &[&str]) -> Running {
        self.start_in(&self.dir, args)
    }

    /// Starts jalon in another working directory.
    pub fn start_in(&self, directory: &Path, args: &[&str]) -> Running {
        static COUNT: AtomicU32 = AtomicU32::new(0);
        let number = COUNT.fetch_add(1, Ordering::Relaxed);
        let streams =
            [format!("out-{number}"), format!("err-{number}")].map(|name| self.base.join(name));
        let file = |path: &Path| fs::File::create(path).expect("a file in the scratch directory");
        let mut words = self.launcher.clone();
        words.push(env!("CARGO_BIN_EXE_jalon").to_owned());
        let child = Command::new(&words[0])
            .args(&words[1..])
            .args(args)
            .current_dir(directory)
            .env_clear()
            .envs(&self.env)
            .stdin(Stdio::null())
            .stdout(file(&streams[0]))
            .stderr(file(&streams[1]))
            .spawn()
            .expect("jalon starts");
        Running {
            child,
            streams,
            words: args.iter().map(|&word| word.to_owned()).collect(),
        }
    }
}

impl Drop for Project {
    fn drop(&mut self) {
        if std::thread::panicking() {
            eprintln!("kept for a look: {}", self.base.display());
        } else {
            let _ = fs::remove_dir_all(&self.base);
        }
    }
}

/// jalon while it runs.
pub struct Running {
    child: Child,
    streams: [PathBuf; 2],
    words: Vec<String>,
}

impl Running {
    /// Whether it ended by itself.
    pub fn ended(&mut self) -> bool {
        self.child
            .try_wait()
            .expect("a child can be waited for")
            .is_some()
    }

    /// What it has said on standard error so far.
    pub fn said(&self) -> String {
        String::from_utf8_lossy(&fs::read(&self.streams[1]).unwrap_or_default()).into_owned()
    }

    /// Sends a signal by its name: `INT`, `TERM`, `KILL`.
    pub fn signal(&self, name: &str) {
        signal(self.child.id(), name);
    }

    /// Waits for its end.
    pub fn wait(mut self) -> Output {
        use std::os::unix::process::ExitStatusExt;
        let start = Instant::now();
        let mut pause = Duration::from_millis(1);
        let status = loop {
            if let Some(status) = self.child.try_wait().expect("a child can be waited for") {
                break status;
            }
            if start.elapsed() > PATIENCE {
                let _ = self.child.kill();
                let _ = self.child.wait();
                panic!(
                    "`jalon {}` hangs:\n{}",
                    self.words.join(" "),
                    self.output(-1)
                );
            }
            std::thread::sleep(pause);
            pause = (pause * 2).min(Duration::from_millis(20));
        };
        let code = status
            .code()
            .unwrap_or_else(|| -status.signal().expect("it exited or was killed"));
        self.output(code)
    }

    fn output(&self, code: i32) -> Output {
        let read = |path: &PathBuf| {
            String::from_utf8_lossy(&fs::read(path).unwrap_or_default()).into_owned()
        };
        Output {
            command: format!("jalon {}", self.words.join(" ")),
            code,
            stdout: read(&self.streams[0]),
            stderr: read(&self.streams[1]),
        }
    }
}

/// What a finished jalon left.
pub struct Output {
    command: String,
    /// The exit code, or minus the signal that ended it.
    pub code: i32,
    pub stdout: String,
    pub stderr: String,
}

impl Output {
    /// The one JSON object on stdout.
    pub fn json(&self) -> Value {
        let value: Value = serde_json::from_str(&self.stdout)
            .unwrap_or_else(|error| panic!("stdout is not one JSON value ({error}):\n{self}"));
        assert_eq!(value["schema"], 1, "every reply carries `schema`:\n{self}");
        value
    }

    /// Stdout and stderr together.
    pub fn all(&self) -> String {
        format!("{}\n{}", self.stdout, self.stderr)
    }

    /// The same, once it ended with this code.
    #[track_caller]
    pub fn expect(self, code: i32) -> Self {
        assert_eq!(self.code, code, "wrong exit code:\n{self}");
        self
    }
}

impl fmt::Display for Output {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Output {
            command,
            code,
            stdout,
            stderr,
        } = self;
        write!(
            f,
            "$ {command}\nexit {code}\n--- stdout\n{stdout}\n--- stderr\n{stderr}"
        )
    }
}

/// A reply of `run --json` or `plan --json`.
pub struct Run {
    pub output: Output,
    pub json: Value,
}

impl Run {
    fn read(output: Output) -> Self {
        let json = output.json();
        Run { output, json }
    }

    /// The entry of a node.
    #[track_caller]
    pub fn node(&self, name: &str) -> &Value {
        let nodes = self.json["nodes"]
            .as_array()
            .unwrap_or_else(|| panic!("no `nodes`:\n{}", self.output));
        nodes
            .iter()
            .find(|node| node["name"] == name)
            .unwrap_or_else(|| panic!("no node {name}:\n{}", self.output))
    }

    /// Asserts what became of some nodes.
    #[track_caller]
    pub fn assert(&self, expected: &[(&str, &str)]) {
        for (name, status) in expected {
            assert_eq!(
                self.node(name)["status"],
                *status,
                "status of {name}:\n{}",
                self.output
            );
        }
    }

    /// The codes of its notices.
    pub fn notices(&self) -> Vec<String> {
        let notices = self.json["notices"].as_array().expect("notices");
        let codes = notices.iter().filter_map(|notice| notice["code"].as_str());
        codes.map(str::to_owned).collect()
    }

    /// `counts.STATUS`.
    #[track_caller]
    pub fn count(&self, status: &str) -> u64 {
        self.json["counts"][status]
            .as_u64()
            .unwrap_or_else(|| panic!("no counts.{status}:\n{}", self.output))
    }
}

/// Sends a signal to a process.
pub fn signal(process: u32, name: &str) {
    let _ = Command::new("kill")
        .arg(format!("-{name}"))
        .arg(process.to_string())
        .stderr(Stdio::null())
        .status();
}

/// Waits until something holds, and fails when it does not in good time.
#[track_caller]
pub fn wait_until(what: &str, mut holds: impl FnMut() -> bool) {
    let start = Instant::now();
    while !holds() {
        assert!(
            start.elapsed() < Duration::from_secs(30),
            "waited in vain: {what}"
        );
        std::thread::sleep(Duration::from_millis(5));
    }
}

/// Says, where `scripts/test` shows it, that something could not be tried here.
pub fn skip(what: &str) {
    use std::io::Write;
    eprintln!("NOT CHECKED: {what}");
    if let Some(path) = std::env::var_os("JALON_TEST_SKIPPED")
        && let Ok(mut file) = fs::OpenOptions::new().append(true).create(true).open(path)
    {
        let _ = writeln!(file, "- {what}");
    }
}

/// How often to try something that shows only now and then; `JALON_TEST_ROUNDS` overrides.
pub fn rounds(usual: u32) -> u32 {
    std::env::var("JALON_TEST_ROUNDS")
        .ok()
        .and_then(|text| text.parse().ok())
        .unwrap_or(usual)
}

/// Every regular file below a directory.
pub fn files_below(directory: &Path) -> Vec<PathBuf> {
    let mut found = Vec::new();
    let Ok(entries) = fs::read_dir(directory) else {
        return found;
    };
    for entry in entries {
        let path = entry.expect("a directory can be read").path();
        match path.symlink_metadata() {
            Ok(meta) if meta.is_dir() => found.extend(files_below(&path)),
            Ok(meta) if meta.is_file() => found.push(path),
            _ => {}
        }
    }
    found.sort();
    found
}

/// Whether this process is root's.
pub fn is_root() -> bool {
    let status = fs::read_to_string("/proc/self/status").unwrap_or_default();
    status
        .lines()
        .any(|line| line.starts_with("Uid:") && line.split_whitespace().nth(2) == Some("0"))
}

pub fn copy_tree(from: &Path, to: &Path) {
    fs::create_dir_all(to).expect("directories can be made");
    for entry in fs::read_dir(from).expect("a directory can be read") {
        let entry = entry.expect("a directory can be read");
        let (source, target) = (entry.path(), to.join(entry.file_name()));
        if entry.file_name() == ".jalon" {
            continue;
        }
        if source.is_dir() {
            copy_tree(&source, &target);
        } else {
            fs::copy(&source, &target).expect("a file can be copied");
        }
    }
}

fn text(path: &Path) -> String {
    path.to_str()
        .expect("the scratch directory has a plain name")
        .to_owned()
}
