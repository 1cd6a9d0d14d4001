//! A project's files in a scratch directory, with its store: written, disturbed and read back.
//!
//! Two checkouts share the store, and one of them is the current one. Knows nothing of what runs there.

use std::collections::BTreeMap;
use std::fs;
use std::io::Write as _;
use std::os::unix::fs::symlink;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::{Duration, SystemTime};

use crate::edit::Disturbance;
use crate::naive::{Content, source};
use crate::pipeline::{Kind, Pipeline};

/// The files, which go when this is dropped.
#[derive(Debug)]
pub struct Place {
    base: PathBuf,
    moves: u32,
    current: usize,
    checkouts: [Checkout; 2],
}

#[derive(Debug, Default)]
struct Checkout {
    directory: PathBuf,
    written: BTreeMap<String, Entry>,
}

/// What lies at a path that the user writes.
#[derive(Debug, Clone, PartialEq, Eq)]
enum Entry {
    File(String),
    Link(String),
}

impl Place {
    /// An empty project, in memory where the system has a file system for that.
    pub fn new() -> Place {
        static COUNT: AtomicU32 = AtomicU32::new(0);
        let number = COUNT.fetch_add(1, Ordering::Relaxed);
        let memory = Path::new("/dev/shm");
        let scratch = if memory.is_dir() {
            memory.to_owned()
        } else {
            std::env::temp_dir()
        };
        let base = scratch.join(format!("jalon-model-{}-{number}", std::process::id()));
        let _ = fs::remove_dir_all(&base);
        let checkout = |name: &str| {
            let directory = base.join(name);
            fs::create_dir_all(&directory).expect("the scratch directory can be made");
            Checkout {
                directory,
                written: BTreeMap::new(),
            }
        };
        let checkouts = [checkout("a-0"), checkout("b")];
        Place {
            base,
            moves: 0,
            current: 0,
            checkouts,
        }
    }

    /// The directory around it, which no pipeline looks into.
    pub fn base(&self) -> &Path {
        &self.base
    }

    /// The current checkout.
    pub fn directory(&self) -> &Path {
        &self.checkouts[self.current].directory
    }

    /// The store.
    pub fn store(&self) -> PathBuf {
        self.base.join("store")
    }

    /// Where what is shared lies.
    pub fn remote(&self) -> PathBuf {
        self.base.join("remote")
    }

    /// Makes the files of the user what the pipeline says, under this definition.
    pub fn write(&mut self, pipeline: &Pipeline, definition: String, quietly: bool) {
        let mut files = files(pipeline);
        files.insert("jalon.toml".to_owned(), Entry::File(definition));
        let Checkout { directory, written } = &mut self.checkouts[self.current];
        for path in written.keys().filter(|path| !files.contains_key(*path)) {
            let _ = fs::remove_file(directory.join(path));
        }
        for (path, entry) in files
            .iter()
            .filter(|(path, entry)| written.get(*path) != Some(entry))
        {
            put(&directory.join(path), entry, quietly);
        }
        *written = files;
    }

    /// Does what happens, as far as it happens to files; collection is the caller's.
    pub fn disturb(&mut self, disturbance: &Disturbance) {
        match disturbance {
            Disturbance::Touch => self.touch(),
            Disturbance::Remove(path) => remove(&self.directory().join(path)),
            Disturbance::Overwrite(path) => overwrite(&self.directory().join(path), false),
            Disturbance::Corrupt(path) => overwrite(&self.directory().join(path), true),
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
            Disturbance::LoseStore => remove(&self.store()),
            Disturbance::LoseIndex => remove(&self.directory().join(".jalon/index")),
            Disturbance::Collect(_) => {}
            Disturbance::Move => {
                self.moves += 1;
                let to = self.base.join(format!("a-{}", self.moves));
                let from =
                    std::mem::replace(&mut self.checkouts[self.current].directory, to.clone());
                copy(&from, &to);
                fs::remove_dir_all(from).expect("the old place can be removed");
            }
            Disturbance::Switch => self.current = 1 - self.current,
        }
    }

    /// What lies at the paths of the outputs.
    pub fn contents(&self, pipeline: &Pipeline) -> BTreeMap<String, Content> {
        let mut contents = BTreeMap::new();
        for instance in pipeline.instances() {
            for index in 0..pipeline.nodes[instance.node].outputs.len() {
                let path = instance.path(index);
                if let Some(content) = read(&self.directory().join(&path)) {
                    contents.insert(path, content);
                }
            }
        }
        contents
    }

    fn touch(&self) {
        let now = SystemTime::now() + Duration::from_secs(2);
        let Checkout { directory, written } = &self.checkouts[self.current];
        for (path, _) in written
            .iter()
            .filter(|(_, entry)| matches!(entry, Entry::File(_)))
        {
            let file = fs::File::options().append(true).open(directory.join(path));
            file.and_then(|file| file.set_modified(now))
                .expect("it was written, and has a time");
        }
    }

    /// Does something to one of every so many files of the store.
    fn some_of_store(&self, every: u32, mut change: impl FnMut(&Path)) {
        let mut files = files_below(&self.store());
        if self.remote().is_dir() {
            files.extend(files_below(&self.remote()));
        }
        for (index, file) in files.into_iter().enumerate() {
            if (index as u32).is_multiple_of(every) {
                change(&file);
            }
        }
    }
}

impl Default for Place {
    fn default() -> Place {
        Place::new()
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        let _ = fs::remove_dir_all(&self.base);
    }
}

/// Every file of the project that its user writes, but the definition.
fn files(pipeline: &Pipeline) -> BTreeMap<String, Entry> {
    let mut files = BTreeMap::new();
    let mut file = |path: String, text: String| drop(files.insert(path, Entry::File(text)));
    let params = pipeline.params.iter().enumerate();
    let params: Vec<String> = params
        .map(|(at, value)| format!("\"p{at}\": {value}"))
        .collect();
    file(
        "params.json".to_owned(),
        format!("{{{}}}\n", params.join(", ")),
    );
    for (at, code) in pipeline.code.iter().enumerate() {
        let fails = u32::from(code.fails);
        let text = format!("# {}\nsalt={}\nfails={fails}\n", code.comment, code.salt);
        if code.pattern {
            file(format!("code/c{at}/main.sh"), text);
        } else {
            file(format!("code/c{at}.sh"), text);
        }
        if code.has_second() {
            file(format!("code/c{at}/second.sh"), "more=5\n".to_owned());
        }
    }
    for (at, it) in pipeline.sources.iter().enumerate() {
        match source(pipeline, at) {
            Content::File(text) => file(format!("in/s{at}"), text),
            Content::Directory(inside) => {
                inside
                    .into_iter()
                    .for_each(|(path, text)| file(format!("in/s{at}/{path}"), text));
            }
        }
        if it.kind == Kind::Pattern {
            file(format!("in/s{at}/beside.md"), format!("{}\n", it.beside));
        }
    }
    let extra = &pipeline.extra;
    if extra.files.is_empty() {
        return files;
    }
    for (at, value) in extra.files.iter().enumerate() {
        if let Some(value) = value {
            file(format!("extra/e{at}"), format!("{value}\n"));
        }
    }
    for member in extra.listing() {
        file(format!("extra/d/m{member}"), String::new());
    }
    let target = |raw: u32| extra.file(raw).map_or(0, |(at, _)| at);
    for (at, to) in extra.pointers.iter().enumerate() {
        file(format!("extra/w{at}"), format!("e{}\n", target(*to)));
    }
    for (at, to) in extra.links.iter().enumerate() {
        files.insert(
            format!("extra/l{at}"),
            Entry::Link(format!("e{}", target(*to))),
        );
    }
    files
}

fn put(path: &Path, entry: &Entry, quietly: bool) {
    fs::create_dir_all(path.parent().expect("a file has a parent"))
        .expect("directories can be made");
    match entry {
        Entry::File(text) => replace(path, text, quietly),
        Entry::Link(target) => {
            let _ = fs::remove_file(path);
            symlink(target, path).expect("a link can be made");
        }
    }
}

/// Writes a file in place, its modification time kept where that is asked for.
fn replace(path: &Path, text: &str, quietly: bool) {
    let before = path.metadata().and_then(|metadata| metadata.modified());
    let mut file = fs::File::create(path).expect("a file can be written");
    file.write_all(text.as_bytes())
        .expect("a file can be written");
    if let (true, Ok(before)) = (quietly, before) {
        file.set_modified(before).expect("a time can be set");
    }
}

/// Puts other bytes into an output; what was removed before cannot be overwritten.
fn overwrite(path: &Path, quietly: bool) {
    let file = if path.is_dir() {
        path.join("sub/b")
    } else {
        path.to_owned()
    };
    let Ok(text) = fs::read_to_string(&file) else {
        return;
    };
    // An output may be read-only or linked to a blob of the store: neither may be written through.
    let mtime = file.metadata().and_then(|metadata| metadata.modified());
    fs::remove_file(&file).expect("a file can be removed");
    let other = |c: char| {
        c.to_digit(10)
            .map_or(c, |digit| char::from(b'0' + ((digit + 1) % 10) as u8))
    };
    let text = if quietly {
        text.chars().map(other).collect()
    } else {
        "666\n".to_owned()
    };
    replace(&file, &text, false);
    if let (true, Ok(mtime)) = (quietly, mtime) {
        let file = fs::File::options().append(true).open(&file);
        file.and_then(|file| file.set_modified(mtime))
            .expect("a time can be set");
    }
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
        let (path, target) = (entry.path(), to.join(entry.file_name()));
        if entry.file_name() == ".jalon" {
            continue;
        }
        if path.is_symlink() {
            let leads = fs::read_link(&path).expect("a link can be read");
            symlink(leads, target).expect("a link can be made");
        } else if path.is_dir() {
            copy(&path, &target);
        } else {
            fs::copy(path, target).expect("a file can be copied");
        }
    }
}
