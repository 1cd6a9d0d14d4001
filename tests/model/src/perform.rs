//! A node's behaviour without a process: a stand-in for [`jalon::worker::process::Processes`].
//!
//! The command is a list of words after `sh`, which the library fills in as it fills in any command; the
//! stand-in reads and writes the files that they name, relative to the working directory. What it used
//! is noted down as an observer of processes would note it.

use std::collections::BTreeMap;
use std::ffi::{OsStr, OsString};
use std::fs;
use std::io;
use std::os::unix::ffi::OsStrExt;
use std::path::Path;
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use jalon::worker::lifeline::Lifeline;
use jalon::worker::observed::{Look, Notebook, Observed, Uses};
use jalon::worker::process::{Cancel, Ended, Execute, How, Request};
use jalon::worker::trace;
use jalon::worker::transcript::Transcript;

use crate::definition::{LeftOut, alias, code_path, undeclared_path};
use crate::naive::{ABSENT, Content, PROBED, content, mix};
use crate::pipeline::{Input, Kind, Pipeline, Shape, Undeclared};

/// The line `cmd = …` of a node, for [`Performer`]. What is left out of the definition is named outright.
pub fn command(pipeline: &Pipeline, node: usize, left_out: LeftOut) -> String {
    let it = &pipeline.nodes[node];
    let mut words = vec!["sh".to_owned()];
    let mut say = |verb: &str, what: String| words.extend([verb.to_owned(), what]);
    if it.matrix > 0 {
        say("name", format!("n{node}[{{{{matrix.v}}}}]"));
        say("mix", "{{matrix.v}}".to_owned());
    } else {
        say("name", format!("n{node}"));
        say("mix", "0".to_owned());
    }
    say("env", "V".to_owned());
    match pipeline.param_of(node) {
        Some(at) if left_out.params => say("look-up", format!("p{at}")),
        Some(at) => say("mix", format!("{{{{params.p{at}}}}}")),
        None => say("mix", "0".to_owned()),
    }
    match pipeline.code_of(node) {
        Some(at) => say("code", code_path(pipeline, at)),
        None => say("mix", "0".to_owned()),
    }
    for input in pipeline.inputs(node) {
        let verb = if it.deaf { "ignore" } else { "absorb" };
        match input {
            Input::Source(at) if left_out.sources => {
                for path in files_of(pipeline, at) {
                    say(verb, path);
                    say("end", String::new());
                }
            }
            // As many words as there are files.
            _ => {
                say(verb, format!("{{{{in.{}}}}}", alias(input)));
                say("end", String::new());
            }
        }
    }
    for &what in &it.undeclared {
        if let Some(path) = undeclared_path(pipeline, node, what) {
            say(verb(what), path);
        }
    }
    for (at, shape) in it.outputs.iter().enumerate() {
        let directory = if shape.directory { "directory" } else { "file" };
        let blunt = if shape.blunt { "blunt " } else { "" };
        say(
            &format!("{blunt}{directory}"),
            format!("{{{{out.n{node}o{at}}}}}"),
        );
    }
    if it.touchy {
        say("touchy", String::new());
    }
    let words: Vec<String> = words.iter().map(|word| format!("\"{word}\"")).collect();
    format!("cmd = [{}]", words.join(", "))
}

fn files_of(pipeline: &Pipeline, source: usize) -> Vec<String> {
    let it = &pipeline.sources[source];
    if it.kind == Kind::Pattern {
        (0..=it.more)
            .map(|file| format!("in/s{source}/f{file}.txt"))
            .collect()
    } else {
        vec![format!("in/s{source}")]
    }
}

fn verb(what: Undeclared) -> &'static str {
    match what {
        Undeclared::Read(_) => "read",
        Undeclared::Probe(_) => "probe",
        Undeclared::List => "list",
        Undeclared::Through(_) => "through",
        Undeclared::Chase(_) => "chase",
        Undeclared::Deep(_) => "deep",
        Undeclared::Overhear(_) => "overhear",
    }
}

/// Performs nodes, and knows which.
#[derive(Debug)]
pub struct Performer {
    reports: bool,
    executed: Mutex<Vec<String>>,
}

impl Performer {
    /// Has performed nothing yet. One that does not report keeps what it observes to itself.
    pub fn new(reports: bool) -> Performer {
        Performer {
            reports,
            executed: Mutex::default(),
        }
    }

    /// The instances that executed so far, in the order in which they started.
    pub fn executed(&self) -> Vec<String> {
        self.executed
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .clone()
    }

    fn starts(&self, name: &str) {
        self.executed
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .push(name.to_owned());
    }
}

impl Execute for Performer {
    fn execute(
        &self,
        request: &Request<'_>,
        _: &Cancel,
        _: Option<&Lifeline>,
        transcript: &mut Transcript,
        _: &mut dyn FnMut(u8, &[u8]),
    ) -> Ended {
        let mut act = Act {
            cwd: request.cwd,
            value: 17,
            fails: false,
            look: request.trace.map(|trace| trace.look),
            notebook: Notebook::default(),
        };
        let done = act.perform(self, request.argv, request.env);
        if let Err(error) = &done {
            transcript.push(2, format!("{error}\n").as_bytes());
        }
        let code = i32::from(done.is_err() || act.fails);
        let sightings = if self.reports {
            act.notebook.close()
        } else {
            Vec::new()
        };
        Ended {
            how: How::Exit(code),
            wall: Duration::ZERO,
            user: Duration::ZERO,
            system: Duration::ZERO,
            max_rss: 0,
            observed: Observed::full(sightings),
        }
    }
}

/// One execution.
struct Act<'a> {
    cwd: &'a Path,
    value: u32,
    fails: bool,
    look: Option<&'a dyn Look>,
    notebook: Notebook,
}

impl Act<'_> {
    /// Notes down, before it happens, how a path is used.
    fn uses(&mut self, path: &str, uses: Uses) {
        let place = self.cwd.join(path);
        let bytes = place.as_os_str().as_bytes();
        if self.notebook.known(bytes).is_none() {
            self.notebook.enter(bytes, Some(trace::stamp(bytes)));
        }
        self.notebook.note(bytes, uses);
        let names = uses.has(Uses::LIST);
        if names || uses.has(Uses::READ) {
            let mark = self.look.and_then(|look| look.mark(&place, names));
            let sighting = self.notebook.enter(bytes, None);
            if sighting.first.is_some() {
                sighting.mark = sighting.mark.or(mark);
            }
        }
    }

    fn perform(
        &mut self,
        performer: &Performer,
        argv: &[OsString],
        env: &[(OsString, OsString)],
    ) -> io::Result<()> {
        let mut words = argv
            .iter()
            .skip(1)
            .map(|word| word.to_str().unwrap_or_default());
        while let Some(verb) = words.next() {
            if let "absorb" | "ignore" = verb {
                let before = self.value;
                for path in words.by_ref().take_while(|word| *word != "end") {
                    self.absorb(path)?;
                }
                if verb == "ignore" {
                    self.value = before;
                }
                words.next();
                continue;
            }
            let word = words.next().unwrap_or_default();
            match verb {
                "name" => performer.starts(word),
                "mix" => self.mix(number(word)?),
                "env" => {
                    let value = env.iter().find(|(name, _)| name == OsStr::new(word));
                    self.mix(number(
                        value
                            .and_then(|(_, value)| value.to_str())
                            .unwrap_or_default(),
                    )?);
                }
                "look-up" => self.look_up(word)?,
                "code" => self.code(word)?,
                "touchy" => self.fails |= self.value.is_multiple_of(3),
                "file" | "blunt file" | "directory" | "blunt directory" => {
                    self.write(verb, word)?
                }
                _ => self.undeclared(verb, word)?,
            }
        }
        Ok(())
    }

    fn mix(&mut self, part: u32) {
        self.value = mix(self.value, part);
    }

    fn read(&mut self, path: &str) -> io::Result<String> {
        self.uses(path, Uses::READ);
        fs::read_to_string(self.cwd.join(path))
    }

    /// A number in a file, or the value of an absent one.
    fn number_at(&mut self, path: &str) -> io::Result<()> {
        let part = match self.read(path) {
            Ok(text) => number(&text)?,
            Err(error) if error.kind() == io::ErrorKind::NotFound => ABSENT,
            Err(error) => return Err(error),
        };
        self.mix(part);
        Ok(())
    }

    fn absorb(&mut self, path: &str) -> io::Result<()> {
        if !self.cwd.join(path).is_dir() {
            let text = self.read(path)?;
            self.mix(number(&text)?);
            return Ok(());
        }
        for inside in ["a", "sub/b", "x"] {
            let file = format!("{path}/{inside}");
            if self.cwd.join(&file).exists() {
                self.number_at(&file)?;
            } else {
                self.uses(&file, Uses::STAT);
            }
        }
        Ok(())
    }

    /// A parameter that was not declared, from its file.
    fn look_up(&mut self, name: &str) -> io::Result<()> {
        let text = self.read("params.json")?;
        let all: BTreeMap<String, u32> = serde_json::from_str(&text)?;
        self.mix(all.get(name).copied().unwrap_or_default());
        Ok(())
    }

    /// The assignments in the code files at a path or pattern, as `sh` would make them.
    fn code(&mut self, path: &str) -> io::Result<()> {
        let files = match path.strip_suffix("/*.sh") {
            Some(directory) => self
                .names(directory)?
                .into_iter()
                .map(|name| format!("{directory}/{name}"))
                .collect(),
            None => vec![path.to_owned()],
        };
        let mut adds = 0;
        for file in files {
            for line in self.read(&file)?.lines() {
                match line.split_once('=') {
                    Some(("salt" | "more", value)) => adds += number(value)?,
                    Some(("fails", value)) => self.fails |= value != "0",
                    _ => {}
                }
            }
        }
        self.mix(adds);
        Ok(())
    }

    fn names(&mut self, directory: &str) -> io::Result<Vec<String>> {
        self.uses(directory, Uses::LIST);
        let mut names = Vec::new();
        for entry in fs::read_dir(self.cwd.join(directory))? {
            names.push(entry?.file_name().to_string_lossy().into_owned());
        }
        names.sort();
        Ok(names)
    }

    fn undeclared(&mut self, verb: &str, path: &str) -> io::Result<()> {
        match verb {
            "read" | "through" | "deep" | "overhear" => self.number_at(path)?,
            "probe" => {
                self.uses(path, Uses::STAT);
                self.mix(PROBED[usize::from(!self.cwd.join(path).exists())]);
            }
            "list" => {
                for name in self.names(path)? {
                    self.mix(number(name.trim_start_matches('m'))?);
                }
            }
            "chase" => {
                let named = self.read(path)?;
                self.number_at(&format!("extra/{}", named.trim()))?;
            }
            other => return Err(io::Error::other(format!("cannot {other}"))),
        }
        Ok(())
    }

    fn write(&mut self, verb: &str, path: &str) -> io::Result<()> {
        let shape = Shape {
            directory: verb.ends_with("directory"),
            ephemeral: false,
            blunt: verb.starts_with("blunt"),
        };
        let files = match content(shape, self.value) {
            Content::File(text) => BTreeMap::from([(path.to_owned(), text)]),
            Content::Directory(inside) => {
                let inside = inside.into_iter();
                inside
                    .map(|(name, text)| (format!("{path}/{name}"), text))
                    .collect()
            }
        };
        for (file, text) in files {
            let place = self.cwd.join(&file);
            self.uses(&file, Uses::WRITE);
            if let (true, Some(parent)) = (shape.directory, place.parent()) {
                fs::create_dir_all(parent)?;
            }
            fs::write(place, text)?;
        }
        Ok(())
    }
}

fn number(text: &str) -> io::Result<u32> {
    let wrong = |_| io::Error::other(format!("{text:?} is no number"));
    text.trim().parse().map_err(wrong)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::definition::definition;
    use crate::pipeline::{Cache, Extra, Node};
    use crate::place::Place;

    /// Performs the only node of a pipeline; the words are those of its definition.
    fn observed(undeclared: Vec<Undeclared>) -> Vec<(String, Uses)> {
        let node = Node {
            present: true,
            inputs: Vec::new(),
            after: Vec::new(),
            param: None,
            code: None,
            env: 0,
            matrix: 0,
            outputs: Vec::new(),
            cache: Cache::Default,
            deaf: false,
            touchy: false,
            undeclared,
        };
        let pipeline = Pipeline {
            nodes: vec![node],
            extra: Extra {
                files: vec![Some(1), None],
                links: vec![0],
                pointers: vec![1],
                members: vec![true],
            },
            ..Pipeline::default()
        };
        let left_out = LeftOut::default();
        let command = command(&pipeline, 0, left_out);
        let mut place = Place::new();
        place.write(
            &pipeline,
            definition(&pipeline, left_out, |_| command.clone()),
            false,
        );
        let words: Vec<String> = serde_json::from_str(command.trim_start_matches("cmd = "))
            .expect("a list of words reads like JSON");
        let words: Vec<OsString> = words.into_iter().map(OsString::from).collect();
        let mut act = Act {
            cwd: place.directory(),
            value: 17,
            fails: false,
            look: None,
            notebook: Notebook::default(),
        };
        act.perform(&Performer::new(true), &words, &[("V".into(), "0".into())])
            .expect("everything is there that must be");
        let sightings = act.notebook.close().into_iter();
        let named = |path: &Path| {
            let relative = path.strip_prefix(place.directory()).unwrap_or(path);
            relative.display().to_string()
        };
        sightings.map(|one| (named(&one.path), one.uses)).collect()
    }

    #[test]
    fn what_is_used_is_noted_down() {
        let used = |what, expected: &[(&str, Uses)]| {
            let found = observed(vec![what]);
            let found: Vec<(&str, Uses)> = found
                .iter()
                .map(|(path, uses)| (path.as_str(), *uses))
                .collect();
            assert_eq!(found, expected, "{what:?}");
        };
        used(Undeclared::Read(0), &[("extra/e0", Uses::READ)]);
        used(Undeclared::Deep(1), &[("extra/e1", Uses::READ)]);
        used(Undeclared::Probe(1), &[("extra/e1", Uses::STAT)]);
        used(Undeclared::List, &[("extra/d", Uses::LIST)]);
        used(Undeclared::Through(0), &[("extra/l0", Uses::READ)]);
        let named = [("extra/w0", Uses::READ), ("extra/e1", Uses::READ)];
        used(Undeclared::Chase(0), &named);
    }
}
