//! The profile of the AWS tools' shared files (`~/.aws/credentials`, `~/.aws/config`).
//! Source: AWS SDKs and Tools Reference Guide, "Shared config and credentials files".

use std::collections::BTreeMap;
use std::path::PathBuf;

use crate::access::Access;

/// What a profile says.
#[derive(Debug, Default)]
pub(crate) struct Profile(BTreeMap<String, String>);

impl Profile {
    pub(crate) fn get(&self, key: &str) -> Option<String> {
        self.0.get(key).cloned().filter(|value| !value.is_empty())
    }
}

/// The profile that the variables name; what `credentials` says stands over `config`.
pub(crate) fn read(access: &Access) -> Profile {
    let name = access.variable("AWS_PROFILE").unwrap_or("default");
    let home = access.variable("HOME").map(PathBuf::from);
    let file = |variable: &str, own: &str| {
        let named = access.variable(variable).map(PathBuf::from);
        let path = named.or_else(|| Some(home.as_ref()?.join(".aws").join(own)))?;
        std::fs::read_to_string(path).ok()
    };
    let mut all = BTreeMap::new();
    if let Some(text) = file("AWS_CONFIG_FILE", "config") {
        let section = match name {
            "default" => "default".to_owned(),
            _ => format!("profile {name}"),
        };
        all.extend(section_of(&text, &section));
    }
    if let Some(text) = file("AWS_SHARED_CREDENTIALS_FILE", "credentials") {
        all.extend(section_of(&text, name));
    }
    Profile(all)
}

fn section_of(text: &str, section: &str) -> Vec<(String, String)> {
    let mut inside = false;
    let mut all = Vec::new();
    for line in text.lines() {
        let nested = line.starts_with([' ', '\t']);
        let line = line.trim();
        if line.is_empty() || line.starts_with(['#', ';']) {
            continue;
        }
        if let Some(name) = line.strip_prefix('[').and_then(|it| it.strip_suffix(']')) {
            inside = name.split_whitespace().eq(section.split_whitespace());
        } else if let (true, false, Some((key, value))) = (inside, nested, line.split_once('=')) {
            all.push((key.trim().to_ascii_lowercase(), value.trim().to_owned()));
        }
    }
    all
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_profile_is_found_among_others() {
        let text = "# ours\n[default]\naws_access_key_id = A\n\n[ profile  b ]\nregion=eu\ns3 =\n  endpoint_url = no\naws_secret_access_key = x=y\n[c]\nregion = no\n";
        let all = section_of(text, "profile b");
        let text = |key: &str, value: &str| (key.to_owned(), value.to_owned());
        let wanted = [
            text("region", "eu"),
            text("s3", ""),
            text("aws_secret_access_key", "x=y"),
        ];
        assert_eq!(all, wanted);
        assert_eq!(section_of("[default]\na = 1", "default").len(), 1);
    }
}
