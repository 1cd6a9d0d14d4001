//! What a closure promises, a module a promise.

mod cases;
mod chance;
mod differential;
mod formatting;
mod hostile;
mod program;

/// Says loudly that something could not be checked here: on the screen, and in the list that `scripts/test` ends
/// with.
fn skipped(why: &str) {
    use std::io::Write;
    eprintln!("NOT CHECKED: {why}");
    if let Some(list) = std::env::var_os("JALON_TEST_SKIPPED")
        && let Ok(mut file) = std::fs::OpenOptions::new()
            .append(true)
            .create(true)
            .open(list)
    {
        let _ = writeln!(file, "{why}");
    }
}
