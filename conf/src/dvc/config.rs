//! `.dvc/config`: of all it may say, how tables become arguments.

use super::expression::Arguments;
use crate::params::ParamsFile;

/// `[parsing] bool` and `list`; the later file counts.
pub(super) fn arguments(files: &[ParamsFile]) -> Arguments {
    let mut how = Arguments::default();
    for file in files {
        let text = String::from_utf8_lossy(&file.text);
        let mut inside = false;
        for line in text.lines().map(str::trim) {
            if let Some(section) = line.strip_prefix('[') {
                inside = section.trim_end_matches(']').trim() == "parsing";
                continue;
            }
            let Some((key, value)) = line.split_once('=').filter(|_| inside) else {
                continue;
            };
            let value = value.split(" #").next().unwrap_or_default();
            let value = value.trim().trim_matches(['"', '\'']).to_ascii_lowercase();
            match key.trim() {
                "bool" => how.no_for_false = value == "boolean_optional",
                "list" => how.repeat = value == "append",
                _ => {}
            }
        }
    }
    how
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_the_parsing_section_counts() {
        let file = |text: &str| ParamsFile {
            file: ".dvc/config".into(),
            text: text.into(),
        };
        let first = file("[core]\n    bool = boolean_optional\n[parsing]\n    list = append\n");
        assert_eq!(
            arguments(std::slice::from_ref(&first)),
            Arguments {
                no_for_false: false,
                repeat: true,
            }
        );
        let second =
            file("['parsing-x']\nlist=append\n[parsing]\nbool = Boolean_Optional\nlist=nargs\n");
        assert_eq!(
            arguments(&[first, second]),
            Arguments {
                no_for_false: true,
                repeat: false,
            }
        );
    }
}
