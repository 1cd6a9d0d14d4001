//! The names of the layers that a setting may come from.

/// Where a setting came from; later ones win.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Layer {
    /// Built in.
    Default,
    /// The user's own file: `[store]` and `[defaults]` only.
    User,
    /// `jalon.toml`.
    Project,
    /// `[env.NAME]` of `jalon.toml`.
    Env,
    /// `-p` and other flags.
    CommandLine,
}
