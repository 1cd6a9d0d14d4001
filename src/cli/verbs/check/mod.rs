//! `jalon check`: what can be found out about a pipeline and its results without making any. A file an option.

mod declarations;
mod deep;
mod definition;
mod fix;
mod repeat;
mod trace;

use super::super::args::{CheckArgs, Common};
use super::super::exit::Failure;

/// Checks what was asked for; without an option, the definition.
pub fn check(common: &Common, args: &CheckArgs) -> Result<u8, Failure> {
    if !args.repeat.is_empty() {
        repeat::repeat(common, &args.repeat)
    } else if args.fix {
        fix::fix(common)
    } else if args.trace {
        trace::trace(common)
    } else if args.deep {
        deep::deep(common)
    } else {
        definition::definition(common)
    }
}
