//! Stores elsewhere, as the definition, the command line and the environment say: where they are, what gives
//! access to them, whose word counts.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use jalon_conf::pipeline::StoreSettings;
use jalon_conf::{Diagnostic, Location, Severity};
use jalon_remote::access::Access;
use jalon_remote::place::Place;
use jalon_remote::sign::{PrivateKey, PublicKey};
use jalon_remote::trust::Policy;
use jalon_remote::{Remotes, Settings};

use super::exit::{self, Failure};
use super::session::{Session, config_directory};

/// The variable that holds a private key.
const KEY: &str = "JALON_SIGNING_KEY";

/// What the variables begin with that say how clouds are reached.
const CLOUDS: [&str; 3] = ["AWS_", "GOOGLE_", "AZURE_"];

/// The directory of private keys.
pub fn key_directory() -> Option<PathBuf> {
    config_directory().map(|directory| directory.join("keys"))
}

/// Our keys, the newest first; that of the environment before all.
pub fn own_keys() -> Result<Vec<PrivateKey>, Failure> {
    let wrong = |place: String, why: String| {
        Failure::new(exit::INVALID, "bad-key", format!("{place}: {why}"))
    };
    let mut keys = Vec::new();
    if let Ok(text) = std::env::var(KEY)
        && !text.trim().is_empty()
    {
        let key = text.parse::<PrivateKey>();
        keys.push(key.map_err(|why| wrong(KEY.to_owned(), why.to_string()))?);
    }
    let listed = key_directory().and_then(|directory| std::fs::read_dir(directory).ok());
    let mut files: Vec<PathBuf> = listed
        .into_iter()
        .flatten()
        .filter_map(|entry| Some(entry.ok()?.path()))
        .filter(|path| path.extension().is_some_and(|it| it == "key"))
        .collect();
    // Their names begin with when they were made.
    files.sort();
    for path in files.into_iter().rev() {
        let text = std::fs::read_to_string(&path)
            .map_err(|error| wrong(path.display().to_string(), error.to_string()))?;
        let key = text.parse::<PrivateKey>();
        keys.push(key.map_err(|why| wrong(path.display().to_string(), why.to_string()))?);
    }
    Ok(keys)
}

fn problem(code: &'static str, message: String, help: String, at: Option<&Location>) -> Diagnostic {
    Diagnostic {
        severity: Severity::Error,
        code,
        message,
        help: Some(help),
        spans: at
            .map(|at| (at.clone(), String::new()))
            .into_iter()
            .collect(),
    }
}

/// `[store]` as it is meant for remotes.
fn settings(root: &Path, store: &StoreSettings, push: bool) -> Result<Settings, Vec<Diagnostic>> {
    let mut problems = Vec::new();
    let mut places = Vec::new();
    for (url, at) in &store.remote {
        match Place::parse(url) {
            Ok(place) => places.push(place),
            Err(bad) => problems.push(problem("bad-remote", bad.message, bad.help, Some(at))),
        }
    }
    let mut policy = Policy::default();
    for word in &store.require {
        match word.as_str() {
            "signed" => policy.signed = true,
            "traced" => policy.traced = true,
            _ => policy.clean = true,
        }
    }
    for text in &store.trusted_keys {
        match text.parse::<PublicKey>() {
            Ok(key) => policy.trusted.push(key),
            Err(why) => {
                let message = format!("`{text}` in trusted_keys: {why}");
                let help =
                    "`jalon cache keygen` prints the public key of the one who pushes".into();
                problems.push(problem("bad-key", message, help, None));
            }
        }
    }
    if !problems.is_empty() {
        return Err(problems);
    }
    let file = |path: &Option<String>| path.as_ref().map(|path| root.join(path));
    let is_of_clouds =
        |name: &str| name == "HOME" || CLOUDS.iter().any(|prefix| name.starts_with(prefix));
    let variables = std::env::vars_os().filter_map(|(name, value)| {
        let (name, value) = (name.into_string().ok()?, value.into_string().ok()?);
        is_of_clouds(&name).then_some((name, value))
    });
    let token = std::env::var(&store.token_env)
        .ok()
        .map(|token| token.trim().to_owned())
        .filter(|token| !token.is_empty());
    Ok(Settings {
        places,
        access: Access {
            token,
            headers: store.headers.clone().into_iter().collect(),
            ca: file(&store.ca),
            client_cert: file(&store.client_cert),
            client_key: file(&store.client_key),
            variables: variables.collect(),
        },
        policy,
        push,
        required: store.required,
    })
}

impl Session {
    /// The remotes, unless there are none or they are not wanted. `push` may forbid what the definition allows.
    ///
    /// # Errors
    /// An address or a key that is none, or a certificate that cannot be read.
    pub fn remotes(
        &self,
        offline: bool,
        push: Option<bool>,
    ) -> Result<Option<Arc<Remotes>>, Failure> {
        let store = &self.project.graph.pipeline().store;
        let refused = |problems| Failure {
            exit: exit::INVALID,
            problems,
            texts: vec![(
                self.project.definition.clone(),
                std::fs::read_to_string(self.project.root.join(&self.project.definition))
                    .unwrap_or_default(),
            )],
        };
        let push = push.unwrap_or(store.push);
        // What is wrong is said, whether or not it is wanted now.
        let mut settings = settings(&self.project.root, store, push).map_err(refused)?;
        if settings.places.is_empty() || offline {
            return Ok(None);
        }
        settings.policy.own = own_keys()?;
        let opened = Remotes::open(settings, self.store.clone());
        let remotes = opened.map_err(|fault| {
            Failure::new(
                exit::INVALID,
                "remote",
                format!("the remote cannot be used: {fault}"),
            )
            .help("`--offline` goes on without it")
        })?;
        Ok(Some(Arc::new(remotes)))
    }
}
