//! What is said outside the screens: results on standard output, which must arrive, and remarks on standard
//! error, which may be lost. Knows nothing of what is said.

use std::fmt::Display;
use std::io::{self, Write};

use super::exit::{self, Failure};

/// A result of one or more lines; a line break is added.
///
/// # Errors
/// It did not arrive.
pub fn line(text: impl Display) -> Result<(), Failure> {
    bytes(format!("{text}\n").as_bytes())
}

/// A result as it is.
///
/// # Errors
/// It did not arrive.
pub fn bytes(bytes: &[u8]) -> Result<(), Failure> {
    let mut out = io::stdout().lock();
    match out.write_all(bytes).and_then(|()| out.flush()) {
        // Whoever asked has heard enough.
        Err(error) if error.kind() == io::ErrorKind::BrokenPipe => Ok(()),
        Err(error) => {
            let message = format!("the answer cannot be written to standard output: {error}");
            Err(Failure::new(exit::STORE, "output", message))
        }
        Ok(()) => Ok(()),
    }
}

/// A remark.
pub fn note(text: impl Display) {
    remark(&format!("{text}\n"));
}

/// A remark that ends in a line break already.
pub fn remark(text: &str) {
    // A full disk or a closed terminal must not stop what is being done.
    let _ = io::stderr().lock().write_all(text.as_bytes());
}

/// A remark that the next one takes the place of, on the line of the terminal where it stands.
pub fn passing(text: &str) {
    let _ = write!(std::io::stderr(), "\r\x1b[2K{text}");
}
