//! The real `jalon`, driven over a project of `sh` nodes in a scratch directory.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::{Duration, SystemTime};

use crate::edit::Disturbance;
use crate::naive::{Content, alias, shell, source};
use crate::pipeline::{Input, Pipeline};
use crate::system::{Observed, System};

/// A project in a scratch directory, which goes when this is dropped.
pub struct Binary {
    program: PathBuf,
    base: PathBuf,
    moves: u32,
    written: BTreeMap<String, String>,
    definition: Pipeline,
}

impl Binary {
    /// An empty project for this `jalon`.
    pub fn new(program: &Path) -> Self {
        static COUNT: AtomicU32 = AtomicU32::new(0);
        let number = COUNT.fetch_add(1, Ordering::Relaxed);
        let base =
            std::env::temp_dir().join(format!("jalon-model-{}-{number}", std::process::id()));
        let _ = fs::remove_dir_all(&base);
        fs::create_dir_all(base.join("project-0")).expect("the scratch directory can be made");
        let definition = Pipeline {
            sources: vec![],
            params: vec![],
            code: vec![],
            nodes: vec![],
        };
        Binary {
            program: program.to_owned(),
            base,
            moves: 0,
            written: BTreeMap::new(),
            definition,
        }
    }

    fn dir(&self) -> PathBuf {
        self.base.join(format!("project-{}", self.moves))
    }

    fn store(&self) -> PathBuf {
        self.base.join("store")
    }

    /// Does something to one of every so many files of the store.
    fn some_of_store(&self, every: u32, mut change: impl FnMut(&Path)) {
        for (index, file) in files_below(&self.store()).into_iter().enumerate() {
            if (index as u32).is_multiple_of(every) {
                change(&file);
            }
        }
    }
}

impl Drop for Binary {
    fn drop(&mut self) {
        let _ = fs::remove_dir_all(&self.base);
    }
}

impl System for Binary {
    fn write(&mut self, pipeline: &Pipeline) {
        let files = files(pipeline);
        let dir = self.dir();
        for path in self
            .written
            .keys()
            .filter(|path| !files.contains_key(*path))
        {
            let _ = fs::remove_file(dir.join(path));
        }
        for (path, text) in &files {
            if self.written.get(path) != Some(text) {
                let path = dir.join(path);
                fs::create_dir_all(path.parent().expect("a file has a parent"))
                    .expect("directories can be made");
                fs::write(path, text).expect("a file can be written");
            }
        }
        self.written = files;
        self.definition = pipeline.clone();
    }

    fn disturb(&mut self, disturbance: &Disturbance) {
        let dir = self.dir();
        match disturbance {
            Disturbance::Touch => {
                let now = SystemTime::now() + Duration::from_secs(2);
                for path in self.written.keys() {
                    let file = fs::File::options()
                        .append(true)
                        .open(dir.join(path))
                        .expect("it was written");
                    file.set_modified(now).expect("a time can be set");
                }
            }
            Disturbance::Remove(path) => remove(&dir.join(path)),
            Disturbance::Overwrite(path) => {
                let path = dir.join(path);
                let file = if path.is_dir() {
                    path.join("sub/b")
                } else {
                    path
                };
                if let Some(parent) = file.parent() {
                    // Where a directory output was removed before, there is nothing to overwrite.
                    if parent.exists() {
                        fs::write(file, "666\n").expect("a file can be written");
                    }
                }
            }
            Disturbance::LoseFiles(every) => self.some_of_store(*every, |file| {
                fs::remove_file(file).expect("a file can be removed");
            }),
            Disturbance::DamageFiles(every) => self.some_of_store(*every, |file| {
                let mut bytes = fs::read(file).expect("a file can be read");
                if let Some(byte) = bytes.last_mut() {
                    *byte ^= 1;
                }
                fs::remove_file(file).expect("a file can be removed");
                fs::write(file, bytes).expect("a file can be written");
            }),
            Disturbance::Move => {
                self.moves += 1;
                copy(&dir, &self.dir());
                fs::remove_dir_all(dir).expect("the old place can be removed");
            }
        }
    }

    fn run(&mut self, targets: &[usize]) -> Observed {
        let dir = self.dir();
        let log = self.base.join("executed");
        let _ = fs::remove_file(&log);
        let path = std::env::var_os("PATH").expect("PATH is set");
        let output = Command::new(&self.program)
            .args(["run", "--json"])
            .args(targets.iter().map(|node| format!("n{node}")))
            .current_dir(&dir)
            .env_clear()
            .env("PATH", path)
            .env("HOME", &self.base)
            .env("LOG", &log)
            .env("JALON_STORE", self.store())
            .stdin(Stdio::null())
            .output()
            .expect("jalon starts");
        let stdout = String::from_utf8_lossy(&output.stdout).into_owned();
        let stderr = String::from_utf8_lossy(&output.stderr).into_owned();
        let reply: serde_json::Value = serde_json::from_str(&stdout).unwrap_or_default();
        let mut claimed = BTreeMap::new();
        for node in reply["nodes"].as_array().into_iter().flatten() {
            if let (Some(name), Some(status)) = (node["name"].as_str(), node["status"].as_str()) {
                claimed.insert(name.to_owned(), status.to_owned());
            }
        }
        let mut contents = BTreeMap::new();
        for instance in self.definition.instances() {
            for index in 0..self.definition.nodes[instance.node].outputs.len() {
                let path = instance.path(index);
                if let Some(content) = read(&dir.join(&path)) {
                    contents.insert(path, content);
                }
            }
        }
        let executed = fs::read_to_string(&log)
            .unwrap_or_default()
            .lines()
            .map(str::to_owned)
            .collect();
        let mut transcript = String::new();
        for (path, text) in &self.written {
            let _ = writeln!(transcript, "--- {path}\n{text}");
        }
        let _ = writeln!(
            transcript,
            "--- exit {:?}\n{stdout}\n--- stderr\n{stderr}",
            output.status.code()
        );
        Observed {
            succeeded: output.status.success(),
            executed,
            claimed,
            contents,
            transcript,
        }
    }
}

/// Every file of the project that its user writes.
fn files(pipeline: &Pipeline) -> BTreeMap<String, String> {
    let mut files = BTreeMap::from([("jalon.toml".to_owned(), definition(pipeline))]);
    let params: Vec<String> = pipeline
        .params
        .iter()
        .enumerate()
        .map(|(index, value)| format!("\"p{index}\": {value}"))
        .collect();
    files.insert(
        "params.json".to_owned(),
        format!("{{{}}}\n", params.join(", ")),
    );
    for (index, code) in pipeline.code.iter().enumerate() {
        let text = format!(
            "# {}\nsalt={}\nfails={}\n",
            code.comment,
            code.salt,
            u32::from(code.fails)
        );
        files.insert(format!("code/c{index}.sh"), text);
    }
    for index in 0..pipeline.sources.len() {
        match source(pipeline, index) {
            Content::File(text) => drop(files.insert(format!("in/s{index}"), text)),
            Content::Directory(inside) => {
                files.extend(
                    inside
                        .into_iter()
                        .map(|(path, text)| (format!("in/s{index}/{path}"), text)),
                );
            }
        }
    }
    files
}

fn definition(pipeline: &Pipeline) -> String {
    let mut text = String::from(
        "[pipeline]\nparams = [\"params.json\"]\n\n[defaults]\npass_env = [\"LOG\"]\n\n[source]\n",
    );
    for (index, source) in pipeline.sources.iter().enumerate() {
        let slash = if source.directory { "/" } else { "" };
        let _ = writeln!(text, "s{index} = \"in/s{index}{slash}\"");
    }
    for node in (0..pipeline.nodes.len()).filter(|&node| pipeline.nodes[node].present) {
        text += &table(pipeline, node);
    }
    text
}

fn table(pipeline: &Pipeline, node: usize) -> String {
    let it = &pipeline.nodes[node];
    let mut text = format!(
        "\n[node.n{node}]\ncmd = '''\n{}\n'''\n",
        shell(pipeline, node)
    );
    if it.matrix > 0 {
        let values: Vec<String> = (0..it.matrix).map(|value| value.to_string()).collect();
        let _ = writeln!(text, "matrix = {{ v = [{}] }}", values.join(", "));
    }
    if let Some(code) = pipeline.code_of(node) {
        let _ = writeln!(text, "code = [\"code/c{code}.sh\"]");
    }
    if let Some(param) = pipeline.param_of(node) {
        let _ = writeln!(text, "params = [\"p{param}\"]");
    }
    let inputs: Vec<String> = pipeline
        .inputs(node)
        .into_iter()
        .map(|input| match input {
            Input::Output(earlier, _) if pipeline.nodes[earlier].matrix > 0 => {
                format!("\"{}[*]\"", alias(input))
            }
            _ => format!("\"{}\"", alias(input)),
        })
        .collect();
    let _ = writeln!(
        text,
        "in = [{}]\nenv = {{ V = \"{}\" }}",
        inputs.join(", "),
        it.env
    );
    if it.cached && it.outputs.is_empty() {
        text += "cache = true\n";
    }
    let place = if it.matrix > 0 { ".d/{{matrix}}" } else { "" };
    for (index, shape) in it.outputs.iter().enumerate() {
        let path = format!(
            "out/n{node}o{index}{place}{}",
            if shape.directory { "/" } else { "" }
        );
        let keep = if shape.ephemeral {
            ", keep = \"run\""
        } else {
            ""
        };
        let _ = writeln!(text, "out.n{node}o{index} = {{ path = \"{path}\"{keep} }}");
    }
    text
}

fn read(path: &Path) -> Option<Content> {
    let meta = path.symlink_metadata().ok()?;
    if meta.is_file() {
        return Some(Content::File(fs::read_to_string(path).unwrap_or_default()));
    }
    let inside = files_below(path).into_iter().map(|file| {
        let name = file
            .strip_prefix(path)
            .expect("it lies below")
            .display()
            .to_string();
        (name, fs::read_to_string(&file).unwrap_or_default())
    });
    Some(Content::Directory(inside.collect()))
}

fn remove(path: &Path) {
    let _ = if path.is_dir() {
        fs::remove_dir_all(path)
    } else {
        fs::remove_file(path)
    };
}

fn files_below(directory: &Path) -> Vec<PathBuf> {
    let mut found = Vec::new();
    for entry in fs::read_dir(directory).into_iter().flatten().flatten() {
        match entry.file_type() {
            Ok(kind) if kind.is_dir() => found.extend(files_below(&entry.path())),
            Ok(kind) if kind.is_file() => found.push(entry.path()),
            _ => {}
        }
    }
    found.sort();
    found
}

/// Copies what a user would copy: everything but what jalon keeps for itself.
fn copy(from: &Path, to: &Path) {
    fs::create_dir_all(to).expect("directories can be made");
    for entry in fs::read_dir(from).expect("a directory can be read") {
        let entry = entry.expect("a directory can be read");
        let target = to.join(entry.file_name());
        if entry.file_name() == ".jalon" {
            continue;
        }
        if entry.path().is_dir() {
            copy(&entry.path(), &target);
        } else {
            fs::copy(entry.path(), target).expect("a file can be copied");
        }
    }
}
