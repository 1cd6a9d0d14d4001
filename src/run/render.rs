//! A command with everything inserted: the words that are executed.

use std::ffi::OsString;
use std::os::unix::ffi::{OsStrExt, OsStringExt};
use std::path::PathBuf;

use jalon_conf::pipeline::{Command, Piece, RunField, Word};
use jalon_conf::shell_quote_bytes;

/// What references stand for.
pub struct Words<'a> {
    /// By input: its paths.
    pub inputs: &'a [Vec<PathBuf>],
    /// By output: its path.
    pub outputs: &'a [String],
    /// The path of the parameter file, if the command names it.
    pub params_file: Option<&'a str>,
    /// Facts of the run, in `finally`.
    pub run: Option<&'a dyn Fn(RunField) -> String>,
}

/// Program and arguments.
pub fn argv(command: &Command, words: &Words<'_>) -> Vec<OsString> {
    match command {
        Command::Shell(pieces) => {
            let mut script = Vec::new();
            for piece in pieces {
                match piece {
                    Piece::Text(text) => script.extend_from_slice(text.as_bytes()),
                    reference => {
                        let quoted: Vec<Vec<u8>> = of(reference, words)
                            .iter()
                            .map(|word| shell_quote_bytes(word.as_bytes()))
                            .collect();
                        script.extend(quoted.join(&b' '));
                    }
                }
            }
            vec!["sh".into(), "-ceu".into(), OsString::from_vec(script)]
        }
        Command::Exec(elements) => elements
            .iter()
            .flat_map(|element| arguments(element, words))
            .collect(),
    }
}

/// The arguments that one element of an array becomes.
fn arguments(element: &Word, words: &Words<'_>) -> Vec<OsString> {
    if let (true, [reference]) = (element.splice, element.pieces.as_slice()) {
        return of(reference, words);
    }
    let mut argument = OsString::new();
    for piece in &element.pieces {
        match piece {
            Piece::Text(text) => argument.push(text),
            reference => argument.push(of(reference, words).join(std::ffi::OsStr::new(" "))),
        }
    }
    vec![argument]
}

fn of(reference: &Piece, words: &Words<'_>) -> Vec<OsString> {
    match reference {
        Piece::Text(text) => vec![text.into()],
        Piece::Input(at) => words.inputs[*at]
            .iter()
            .map(|path| path.clone().into_os_string())
            .collect(),
        Piece::Output(at) => vec![words.outputs[*at].clone().into()],
        Piece::Value { words, .. } => words.iter().map(Into::into).collect(),
        Piece::ParamsFile => words.params_file.map(Into::into).into_iter().collect(),
        Piece::Run(field) => words
            .run
            .map(|run| run(*field).into())
            .into_iter()
            .collect(),
    }
}

/// Whether a command names `{{params.file}}`.
pub fn wants_params_file(command: &Command) -> bool {
    let is = |piece: &Piece| matches!(piece, Piece::ParamsFile);
    match command {
        Command::Shell(pieces) => pieces.iter().any(is),
        Command::Exec(words) => words.iter().any(|word| word.pieces.iter().any(is)),
    }
}
