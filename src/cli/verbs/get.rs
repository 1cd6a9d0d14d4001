//! `jalon get`: bytes out of the store, from any run still kept.

use std::path::{Path, PathBuf};

use jalon::event::{Body, Made};
use jalon::history::History;
use jalon::stand_in;
use jalon_store::content::Content;
use jalon_store::digest::BlobDigest;
use jalon_store::{LinkMode, LocalStore};

use super::super::args::{Common, GetArgs};
use super::super::exit::{self, Failure};
use super::super::out;
use super::super::session::Session;

/// Takes an artifact out of the store.
pub fn get(common: &Common, args: &GetArgs) -> Result<u8, Failure> {
    let session = Session::open(common, false)?;
    let (content, path) = find(&session, &args.artifact)?;
    if !session.store.has_content(&content) && !fetched(&session, common, &content)? {
        let message = format!("the bytes of {} are no longer kept", args.artifact);
        return Err(Failure::new(exit::NO_MATCH, "not-kept", message)
            .help("`jalon run` with it as target makes it again"));
    }
    if stand_in::is_one(&session.store, &content) {
        let message = format!(
            "{} lives in memory only, in the processes of the nodes that read it",
            args.artifact
        );
        return Err(Failure::new(exit::NO_MATCH, "in-memory-only", message)
            .help("make it something that can be pickled, or a dataset of the catalog"));
    }
    match &args.output {
        Some(output) if output.as_os_str() == "-" => print(&session.store, &content),
        Some(output) => {
            let place = if output.is_absolute() {
                output.clone()
            } else {
                here(common).join(output)
            };
            let place = inside(place, path.as_deref())?;
            lay(&session.store, &content, &place)
        }
        None => {
            let Some(path) = path else {
                return Err(Failure::new(
                    exit::USAGE,
                    "no-path",
                    "a digest has no place of its own",
                )
                .help("say where to with -o"));
            };
            let lock = session.lock(true, &format!("process {}, get", std::process::id()))?;
            let laid = session.own_files(&lock)?.lay(&path, &content);
            let laid =
                laid.map_err(|error| Failure::new(exit::FAILED, "workspace", error.to_string()))?;
            if let Some(rescued) = laid.rescued {
                out::note(format!(
                    "what {path} held is kept: jalon get {} -o {path}",
                    &rescued.content.digest_hex()[..16]
                ));
            }
            Ok(exit::DONE)
        }
    }
}

/// Whether a remote had it, and it is here now.
fn fetched(session: &Session, common: &Common, content: &Content) -> Result<bool, Failure> {
    let Some(remotes) = session.remotes(common.offline, Some(false))? else {
        return Ok(false);
    };
    // Some remotes have to be told which record names it.
    let history = History::new(&session.store, &session.project.name);
    let hex = content.digest_hex();
    'runs: for run in history.ids()? {
        for event in history.events(&run)? {
            let (key, outputs) = match event.body {
                Body::NodeHit(hit) => (hit.key, hit.outputs),
                Body::NodeSucceeded(done) => (done.key, done.outputs),
                _ => continue,
            };
            if outputs.values().any(|made| made.digest == hex)
                && let Ok(key) = key.parse()
            {
                remotes.note(&key, &[*content], std::time::Duration::ZERO);
                break 'runs;
            }
        }
    }
    let came = remotes.bring(content, true);
    for remark in remotes.remarks() {
        out::note(format!("note: {}", remark.text));
    }
    Ok(came)
}

/// The place itself; of one that ends in a slash or is a directory, the place in it under the artifact's own name.
fn inside(place: PathBuf, path: Option<&str>) -> Result<PathBuf, Failure> {
    let meant = place.as_os_str().as_encoded_bytes().ends_with(b"/");
    if !meant && !place.is_dir() {
        return Ok(place);
    }
    let Some(name) = path.and_then(|path| Path::new(path).file_name()) else {
        let message = format!(
            "{} is a directory, and a digest has no name of its own",
            place.display()
        );
        let failure = Failure::new(exit::USAGE, "no-name", message);
        return Err(failure.help("name the file: -o DIRECTORY/NAME"));
    };
    Ok(place.join(name))
}

fn here(common: &Common) -> PathBuf {
    common
        .directory
        .clone()
        .unwrap_or_else(|| PathBuf::from("."))
}

fn print(store: &LocalStore, content: &Content) -> Result<u8, Failure> {
    let Content::File { digest, .. } = content else {
        return Err(
            Failure::new(exit::USAGE, "directory", "a directory cannot be printed")
                .help("say where to with -o"),
        );
    };
    out::bytes(&bytes_of(store, digest)?)?;
    Ok(exit::DONE)
}

/// What was there a moment ago and cannot be had is damaged: never to be taken for a file of nothing.
fn bytes_of(store: &LocalStore, digest: &BlobDigest) -> Result<Vec<u8>, Failure> {
    store.read_blob(digest)?.ok_or_else(|| {
        let message = format!("the bytes of {} are damaged", digest.short());
        Failure::new(exit::STORE, "damaged", message)
            .help("`jalon run` makes them again; `jalon cache verify` looks for more")
    })
}

fn lay(store: &LocalStore, content: &Content, place: &Path) -> Result<u8, Failure> {
    let found = place.metadata().ok();
    if let (Content::File { digest, .. }, Some(false)) =
        (content, found.as_ref().map(|m| m.is_file() || m.is_dir()))
    {
        // A device or a pipe is written to, never replaced.
        std::fs::write(place, bytes_of(store, digest)?)?;
        return Ok(exit::DONE);
    }
    if found.is_some_and(|metadata| metadata.is_dir()) {
        let failure = Failure::new(
            exit::USAGE,
            "exists",
            format!("{} is a directory", place.display()),
        );
        return Err(failure.help("name a place that is not there yet"));
    }
    if let Some(parent) = place.parent() {
        std::fs::create_dir_all(parent)?;
    }
    store.materialise(content, place, LinkMode::Copy)?;
    Ok(exit::DONE)
}

/// The content meant by `ARTIFACT`, `ARTIFACT@RUN` or a digest (or the beginning of a pinned one), and its path.
pub fn find(session: &Session, text: &str) -> Result<(Content, Option<String>), Failure> {
    let (name, run) = match text.rsplit_once('@') {
        Some((name, run)) if !run.is_empty() => (name, run),
        _ => (text, "last"),
    };
    if text.len() >= 8 && text.bytes().all(|byte| byte.is_ascii_hexdigit()) {
        for (_, pin) in session.store.pins()? {
            if let Some(content) = pin
                .content_of()
                .filter(|content| content.digest_hex().starts_with(text))
            {
                return Ok((content, None));
            }
        }
    }
    let history = History::new(&session.store, &session.project.name);
    let made = if run == "last" {
        newest(&history, name)?
    } else {
        of_run(&history, name, run)?
    };
    let content = made.as_ref().and_then(Made::content);
    match (content, made) {
        (Some(content), Some(made)) => Ok((content, Some(made.path))),
        _ => {
            let message = format!("no run that is still kept made `{text}`");
            Err(Failure::new(exit::NO_MATCH, "no-match", message)
                .help("`jalon log` lists the runs, `jalon graph` the artifacts"))
        }
    }
}

/// From the newest run that had it.
fn newest(history: &History<'_>, artifact: &str) -> Result<Option<Made>, Failure> {
    for id in history.ids()? {
        if let Some(made) = made_in(history, &id, artifact)? {
            return Ok(Some(made));
        }
    }
    Ok(None)
}

fn of_run(history: &History<'_>, artifact: &str, run: &str) -> Result<Option<Made>, Failure> {
    let Some(id) = history.resolve(run)? else {
        let message = format!("there is no run `{run}`, or more than one that begins so");
        return Err(
            Failure::new(exit::NO_MATCH, "no-run", message).help("`jalon log` lists the runs")
        );
    };
    made_in(history, &id, artifact)
}

fn made_in(history: &History<'_>, run: &str, artifact: &str) -> Result<Option<Made>, Failure> {
    let mut found = None;
    for event in history.events(run)? {
        let mut outputs = match event.body {
            Body::NodeHit(hit) => hit.outputs,
            Body::NodeSucceeded(done) => done.outputs,
            _ => continue,
        };
        if let Some(made) = outputs.remove(artifact) {
            found = Some(made);
        }
    }
    Ok(found)
}
