//! A copy of the project, both tools in it, and what happened there.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};
use std::sync::atomic::{AtomicU32, Ordering};

/// A project, with an environment that has Kedro.
pub struct Ground {
    base: PathBuf,
    /// The project.
    pub dir: PathBuf,
    python: PathBuf,
    store: Option<PathBuf>,
}

/// The interpreter, or nothing after it was said why.
pub fn python() -> Option<PathBuf> {
    let here = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/real/kedro");
    let got = Command::new(here.join("get"))
        .output()
        .expect("a script starts");
    if got.status.success() {
        let path = String::from_utf8(got.stdout).expect("a path is text");
        return Some(path.trim().into());
    }
    let why = String::from_utf8_lossy(&got.stderr);
    assert_eq!(got.status.code(), Some(77), "{why}");
    let what = format!(
        "jalon beside Kedro: {}",
        why.lines().last().unwrap_or_default()
    );
    eprintln!("NOT CHECKED: {what}");
    if let Some(path) = std::env::var_os("JALON_TEST_SKIPPED")
        && let Ok(mut file) = fs::OpenOptions::new().append(true).create(true).open(path)
    {
        use std::io::Write;
        let _ = writeln!(file, "- {what}");
    }
    None
}

impl Ground {
    /// A fresh copy of the example, without results.
    pub fn new() -> Option<Ground> {
        Ground::of(&Path::new(env!("CARGO_MANIFEST_DIR")).join("examples/rookery"))
    }

    /// The same of another project.
    pub fn of(example: &Path) -> Option<Ground> {
        static COUNT: AtomicU32 = AtomicU32::new(0);
        let number = COUNT.fetch_add(1, Ordering::Relaxed);
        let base =
            std::env::temp_dir().join(format!("jalon-kedro-{}-{number}", std::process::id()));
        let _ = fs::remove_dir_all(&base);
        let ground = Ground {
            dir: base.join("project"),
            python: python()?,
            store: None,
            base,
        };
        copy(example, &ground.dir);
        for name in ["02_intermediate", "03_primary", "06_models", "08_reporting"] {
            let _ = fs::remove_dir_all(ground.dir.join("data").join(name));
        }
        let _ = fs::remove_dir_all(ground.dir.join(".jalon"));
        fs::create_dir_all(ground.base.join("home")).expect("a scratch directory");
        Some(ground)
    }

    /// The same project elsewhere, without what is jalon's; both share a store from now on.
    pub fn clone_beside(&self, name: &str) -> Ground {
        let dir = self.base.join(name);
        copy(&self.dir, &dir);
        let _ = fs::remove_dir_all(dir.join(".jalon"));
        Ground {
            base: self.base.clone(),
            dir,
            python: self.python.clone(),
            store: self.store.clone(),
        }
    }

    /// Keeps the store outside the project.
    pub fn with_store(mut self) -> Ground {
        self.store = Some(self.base.join("store"));
        self
    }

    fn command(&self, program: &Path) -> Command {
        let bin = self.python.parent().expect("an interpreter lies somewhere");
        let path = std::env::var("PATH").expect("PATH is set");
        let mut command = Command::new(program);
        command
            .current_dir(&self.dir)
            .env("PATH", format!("{}:{path}", bin.display()))
            .env("VIRTUAL_ENV", bin.parent().expect("a virtual environment"))
            .env("HOME", self.base.join("home"))
            .env("ROOKERY_EVENTS", self.events_file())
            .env("DO_NOT_TRACK", "1")
            // As if the package were installed.
            .env(
                "PYTHONPATH",
                Path::new(env!("CARGO_MANIFEST_DIR")).join("python"),
            )
            .env("JALON", env!("CARGO_BIN_EXE_jalon"))
            .env("PYTHONHASHSEED", "0")
            .env("NO_COLOR", "1")
            .env_remove("JALON_STORE");
        if let Some(store) = &self.store {
            command.env("JALON_STORE", store);
        }
        command
    }

    /// One for all clones: the project asks for its name, so it is part of the keys.
    fn events_file(&self) -> PathBuf {
        self.base.join("events")
    }

    /// `kedro WORDS`, with the package that has the runner.
    pub fn kedro(&self, words: &[&str]) -> Output {
        let kedro = self.python.with_file_name("kedro");
        self.command(&kedro)
            .args(words)
            .output()
            .expect("kedro starts")
    }

    /// An environment of its own, in which what is installed for the others can be found too; where packages lie in it.
    pub fn with_environment(mut self) -> (Ground, PathBuf) {
        let place = self.base.join("environment");
        let made = self
            .command(&self.python)
            .args(["-m", "venv", "--without-pip"])
            .arg(&place)
            .output()
            .expect("Python starts");
        assert!(made.status.success(), "{}", shown(&made));
        let ask = |python: &Path| {
            let told = Command::new(python)
                .args([
                    "-c",
                    "import sysconfig; print(sysconfig.get_path('purelib'))",
                ])
                .output()
                .expect("Python starts");
            PathBuf::from(
                String::from_utf8(told.stdout)
                    .expect("a path is text")
                    .trim(),
            )
        };
        let others = ask(&self.python);
        self.python = place.join("bin/python");
        let site = ask(&self.python);
        fs::write(site.join("others.pth"), format!("{}\n", others.display()))
            .expect("it can be written");
        (self, site)
    }

    /// A file beside the project.
    pub fn beside(&self, name: &str) -> PathBuf {
        self.base.join(name)
    }

    /// Python with these words.
    pub fn python(&self, words: &[&str]) -> Output {
        self.command(&self.python)
            .args(words)
            .output()
            .expect("Python starts")
    }

    /// `jalon WORDS`.
    pub fn jalon(&self, words: &[&str]) -> Output {
        self.jalon_with(words, &[])
    }

    /// The same with more variables.
    pub fn jalon_with(&self, words: &[&str], env: &[(&str, &str)]) -> Output {
        let program = Path::new(env!("CARGO_BIN_EXE_jalon"));
        let mut command = self.command(program);
        command
            .args(words)
            .envs(env.iter().copied())
            .output()
            .expect("jalon starts")
    }

    /// `jalon run --json WORDS`, which must succeed.
    pub fn run(&self, words: &[&str]) -> serde_json::Value {
        let output = self.jalon(&[&["run", "--json"], words].concat());
        let text = shown(&output);
        assert!(output.status.success(), "{text}");
        serde_json::from_slice(&output.stdout).unwrap_or_else(|error| panic!("{error}: {text}"))
    }

    /// What the project's hooks wrote since the last time, in order.
    pub fn events(&self) -> Vec<String> {
        let text = fs::read_to_string(self.events_file()).unwrap_or_default();
        let _ = fs::remove_file(self.events_file());
        text.lines().map(str::to_owned).collect()
    }

    /// The nodes that ran since the last time, sorted.
    pub fn ran(&self) -> Vec<String> {
        let events = self.events();
        let ran = events
            .iter()
            .filter_map(|event| event.strip_prefix("before_node_run "));
        let mut ran: Vec<String> = ran.map(str::to_owned).collect();
        ran.sort();
        ran
    }

    /// Every result that lies in the project, by its path; versions go by the name of their dataset, the newest counts.
    pub fn results(&self) -> BTreeMap<String, Vec<u8>> {
        let mut found = BTreeMap::new();
        for place in below(&self.dir.join("data")) {
            let path = place
                .strip_prefix(&self.dir)
                .expect("it lies below")
                .to_string_lossy()
                .into_owned();
            if path.starts_with("data/01_raw") {
                continue;
            }
            let parts: Vec<&str> = path.split('/').collect();
            let name = match parts.as_slice() {
                [.., dataset, version, file] if dataset == file && version.contains('T') => {
                    format!("{dataset}@newest")
                }
                _ => path.clone(),
            };
            found.insert(name, fs::read(&place).expect("a result can be read"));
        }
        found
    }

    /// Replaces text in a file.
    pub fn edit(&self, path: &str, old: &str, new: &str) {
        let place = self.dir.join(path);
        let text = fs::read_to_string(&place).expect("the file is there");
        assert!(text.contains(old), "{path} has no {old:?}");
        fs::write(&place, text.replacen(old, new, 1)).expect("it can be written");
    }

    /// The versions of a model, oldest first.
    pub fn versions(&self, model: &str) -> Vec<PathBuf> {
        let place = self
            .dir
            .join("data/06_models")
            .join(format!("{model}.pickle"));
        let entries = fs::read_dir(place).into_iter().flatten().flatten();
        let mut versions: Vec<PathBuf> = entries.map(|entry| entry.path()).collect();
        versions.sort();
        versions
    }
}

impl Drop for Ground {
    fn drop(&mut self) {
        if !std::thread::panicking() && self.dir.ends_with("project") {
            let _ = fs::remove_dir_all(&self.base);
        }
    }
}

/// What a program printed.
pub fn shown(output: &Output) -> String {
    format!(
        "exit {:?}\n{}\n{}",
        output.status.code(),
        String::from_utf8_lossy(&output.stdout),
        String::from_utf8_lossy(&output.stderr)
    )
}

fn below(directory: &Path) -> Vec<PathBuf> {
    let mut found = Vec::new();
    let entries = fs::read_dir(directory).into_iter().flatten().flatten();
    let mut entries: Vec<PathBuf> = entries.map(|entry| entry.path()).collect();
    entries.sort();
    for place in entries {
        match place.is_dir() {
            true => found.extend(below(&place)),
            false => found.push(place),
        }
    }
    found
}

fn copy(from: &Path, to: &Path) {
    for place in below(from) {
        let name = place.strip_prefix(from).expect("it lies below");
        if name
            .components()
            .any(|part| part.as_os_str() == "__pycache__" || part.as_os_str() == ".jalon")
        {
            continue;
        }
        let target = to.join(name);
        fs::create_dir_all(target.parent().expect("it lies somewhere")).expect("a directory");
        fs::copy(&place, &target).expect("a copy");
    }
}
