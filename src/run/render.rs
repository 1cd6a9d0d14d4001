//! A command with everything inserted: the words that are executed.

use std::ffi::{OsStr, OsString};
use std::os::unix::ffi::{OsStrExt, OsStringExt};
use std::path::{Path, PathBuf};

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
    /// The shell that the caller uses.
    pub shell: Option<&'a OsStr>,
    /// What calls the function, where it is one.
    pub call: Option<Vec<OsString>>,
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
        Command::Lines(lines) => in_shells(lines, words.shell),
        Command::Call(_) => words.call.clone().unwrap_or_default(),
        // A process that is forked executes no command.
        Command::Task(_) => Vec::new(),
    }
}

/// Each line to a shell of its own, until one fails; without what would read the user's own settings.
fn in_shells(lines: &[String], shell: Option<&OsStr>) -> Vec<OsString> {
    let shell = shell
        .filter(|shell| !shell.is_empty())
        .unwrap_or(OsStr::new("/bin/sh"));
    let name = Path::new(shell).file_name().unwrap_or_default();
    let plain: &[&str] = match name.to_str() {
        Some("zsh") => &["--no-rcs"],
        Some("bash") => &["--noprofile", "--norc"],
        Some("fish") => &["--no-config"],
        _ => &[],
    };
    let one = [shell]
        .into_iter()
        .chain(plain.iter().map(OsStr::new))
        .chain([OsStr::new("-c")]);
    if let [line] = lines {
        return one.chain([OsStr::new(line)]).map(Into::into).collect();
    }
    let words: Vec<Vec<u8>> = one.map(|word| shell_quote_bytes(word.as_bytes())).collect();
    let mut script = b"for line do ".to_vec();
    script.extend(words.join(&b' '));
    script.extend(b" \"$line\" || exit; done");
    let mut argv: Vec<OsString> = vec!["/bin/sh".into(), "-c".into(), OsString::from_vec(script)];
    argv.push("jalon".into());
    argv.extend(lines.iter().map(Into::into));
    argv
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
            reference => argument.push(of(reference, words).join(OsStr::new(" "))),
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
        Command::Lines(_) | Command::Call(_) | Command::Task(_) => false,
    }
}
