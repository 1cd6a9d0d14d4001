//! The `jalon` binary.

// They panic where the stream is full or closed; `cli/out` does not.
#![deny(clippy::print_stdout, clippy::print_stderr)]

mod cli;

/// A definition of ten thousand nodes is a million small allocations; the system's allocator takes a third of
/// the time of a run with nothing to do.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

fn main() -> std::process::ExitCode {
    cli::main()
}
