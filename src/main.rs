//! The `jalon` binary.

mod cli;

/// A definition of ten thousand nodes is a million small allocations; the system's allocator takes a third of
/// the time of a run with nothing to do.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

fn main() -> std::process::ExitCode {
    cli::main()
}
