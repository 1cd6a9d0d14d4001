//! The one session of a run: started when somebody first needs it, begun before the first node, ended once.
//!
//! Knows how a session is started and the order of the conversation; nothing of nodes.

use std::ffi::OsString;
use std::path::PathBuf;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use serde_json::{Value as Json, json};

use super::session::{Load, Session, SessionError};
use super::trace::Lasting;

/// Starts a project's session.
pub struct Loader {
    /// Program and arguments.
    pub argv: Vec<OsString>,
    /// The whole environment.
    pub env: Vec<(OsString, OsString)>,
    /// The project's directory.
    pub cwd: PathBuf,
    /// What it prints goes there.
    pub log: PathBuf,
    /// What is to be noted of it.
    pub trace: Lasting,
    /// The hooks of the run are to be called: nobody else does.
    pub hooks: bool,
    state: Mutex<State>,
}

#[derive(Default)]
struct State {
    session: Option<Arc<Session>>,
    begun: bool,
}

/// Why a project cannot be loaded.
#[derive(Debug)]
pub enum LoadFailure {
    /// It says so itself.
    Refused {
        /// A word for programs.
        code: String,
        /// What is wrong.
        message: String,
        /// What to do.
        help: String,
        /// Where in its code.
        traceback: String,
    },
    /// It does not answer.
    Silent(SessionError),
}

impl std::fmt::Debug for Loader {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Loader")
            .field("argv", &self.argv)
            .finish_non_exhaustive()
    }
}

impl Loader {
    /// Nothing is started yet.
    pub fn new(
        argv: Vec<OsString>,
        env: Vec<(OsString, OsString)>,
        cwd: PathBuf,
        log: PathBuf,
        trace: Lasting,
        hooks: bool,
    ) -> Loader {
        Loader {
            argv,
            env,
            cwd,
            log,
            trace,
            hooks,
            state: Mutex::default(),
        }
    }

    /// Loads the project: what it consists of, by its own words.
    ///
    /// # Errors
    /// See [`LoadFailure`].
    pub fn load(&self, cancelled: &dyn Fn() -> bool) -> Result<(Arc<Session>, Json), LoadFailure> {
        let mut state = self.lock();
        let (session, told) = self.start(cancelled)?;
        state.session = Some(session.clone());
        Ok((session, told))
    }

    /// The session, with the run begun.
    ///
    /// # Errors
    /// See [`LoadFailure`].
    pub fn begun(&self, cancelled: &dyn Fn() -> bool) -> Result<Arc<Session>, LoadFailure> {
        let mut state = self.lock();
        let session = match &state.session {
            Some(session) => session.clone(),
            None => {
                let (session, _) = self.start(cancelled)?;
                state.session = Some(session.clone());
                session
            }
        };
        if !state.begun {
            session
                .tell(&json!({"begin": {"hooks": self.hooks}}))
                .map_err(LoadFailure::Silent)?;
            answer(&session, "begun", cancelled)?;
            state.begun = true;
        }
        Ok(session)
    }

    /// Whether there is a session.
    pub fn is_loaded(&self) -> bool {
        self.lock().session.is_some()
    }

    /// Ends the run for a session that there is; what it says of that.
    ///
    /// # Errors
    /// See [`LoadFailure`].
    pub fn finish(&self, how: &Json, cancelled: &dyn Fn() -> bool) -> Result<Json, LoadFailure> {
        let mut state = self.lock();
        let Some(session) = state.session.take() else {
            return Ok(Json::Null);
        };
        state.begun = false;
        session
            .tell(&json!({"finish": how}))
            .map_err(LoadFailure::Silent)?;
        answer(&session, "finished", cancelled)
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn start(&self, cancelled: &dyn Fn() -> bool) -> Result<(Arc<Session>, Json), LoadFailure> {
        let program = self.argv.first().map(PathBuf::from).unwrap_or_default();
        let load = Load {
            program: &program,
            argv: &self.argv,
            env: &self.env,
            cwd: &self.cwd,
            log: &self.log,
            trace: &self.trace,
        };
        let session = Arc::new(Session::start(&load).map_err(LoadFailure::Silent)?);
        let told = answer(&session, "described", cancelled)?;
        Ok((session, told))
    }
}

/// The answer that is expected next.
fn answer(
    session: &Session,
    expected: &str,
    cancelled: &dyn Fn() -> bool,
) -> Result<Json, LoadFailure> {
    let mut answer = session.answer(cancelled).map_err(LoadFailure::Silent)?;
    if let Some(told) = answer.get_mut(expected) {
        return Ok(told.take());
    }
    let failed = &answer["failed"];
    let text = |name: &str| failed[name].as_str().unwrap_or_default().to_owned();
    Err(LoadFailure::Refused {
        code: text("code"),
        message: text("message"),
        help: text("help"),
        traceback: text("traceback"),
    })
}
