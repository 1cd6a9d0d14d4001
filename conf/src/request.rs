//! What is asked of a definition beside its texts.

/// What the caller asks for.
#[derive(Debug, Clone)]
pub struct Request {
    /// `--env`.
    pub env: String,
    /// `-p key=value`, in order.
    pub set: Vec<(String, String)>,
    /// jalon's own version, for `requires`.
    pub version: String,
}
