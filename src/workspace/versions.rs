//! Artifacts that lie in a directory of versions (`DIRECTORY/VERSION/NAME`), of which the newest is the one that counts.
//!
//! A version is made and never changed or removed. Kedro's form: versions are time stamps, and the newest is the last
//! by name (kedro/io/core.py, `AbstractVersionedDataset`).

use std::path::{Path, PathBuf};

use jalon_conf::pipeline::Artifact;
use jalon_store::content::Content;
use jalon_store::error::IngestError;
use jalon_store::index::StatCache;

use super::{PublishError, Workspace};
use crate::witness;

impl Workspace {
    /// What an artifact holds now, wherever that lies.
    ///
    /// # Errors
    /// It cannot be read.
    pub fn held(&self, artifact: &Artifact) -> Result<Option<Content>, IngestError> {
        self.held_through(artifact, &*self.cache)
    }

    pub(super) fn held_through(
        &self,
        artifact: &Artifact,
        cache: &dyn StatCache,
    ) -> Result<Option<Content>, IngestError> {
        let place = match &artifact.versions {
            None => Some(self.root.join(&artifact.path)),
            Some(directory) => self.version(directory, artifact.load_version.as_deref()),
        };
        match place {
            Some(place) => self.store.digest_path(&place, cache),
            None => Ok(None),
        }
    }

    /// Where the version that counts lies.
    fn version(&self, directory: &str, wanted: Option<&str>) -> Option<PathBuf> {
        let place = self.root.join(directory);
        let name = Path::new(directory).file_name()?;
        if let Some(wanted) = wanted {
            return Some(place.join(wanted).join(name));
        }
        let mut versions = witness::names(&*self.cache, &place);
        versions.sort();
        let mut places = versions.iter().rev().map(|it| place.join(it).join(name));
        places.find(|it| witness::metadata(&*self.cache, it).is_ok())
    }

    /// Makes this content the newest version, if it is not; whether that had to be done.
    ///
    /// # Errors
    /// It cannot be written.
    pub fn renew(
        &self,
        artifact: &Artifact,
        content: &Content,
        now_ms: u64,
    ) -> Result<bool, PublishError> {
        let Some(directory) = &artifact.versions else {
            return Ok(false);
        };
        if matches!(self.held(artifact), Ok(Some(held)) if held == *content) {
            return Ok(false);
        }
        let name = Path::new(directory).file_name().unwrap_or_default();
        let newest = self
            .version(directory, None)
            .and_then(|place| Some(place.parent()?.file_name()?.to_string_lossy().into_owned()));
        let stamp = after(newest.as_deref(), stamp(now_ms));
        let path = format!("{directory}/{stamp}/{}", name.to_string_lossy());
        self.lay(&path, content)?;
        Ok(true)
    }
}

/// A name for a version that is the newest from now on. One that came from a clock ahead of ours, or that somebody
/// named otherwise, is continued: what begins with a name comes after it.
fn after(newest: Option<&str>, stamp: String) -> String {
    match newest {
        Some(newest) if *newest >= *stamp => format!("{newest}-{stamp}"),
        _ => stamp,
    }
}

/// Milliseconds since the epoch as Kedro writes a time: `2026-11-26T16.17.25.875Z`.
fn stamp(ms: u64) -> String {
    let (seconds, ms) = (ms / 1000, ms % 1000);
    let (days, rest) = (seconds / 86_400, seconds % 86_400);
    let (year, month, day) = date(days);
    format!(
        "{year:04}-{month:02}-{day:02}T{:02}.{:02}.{:02}.{ms:03}Z",
        rest / 3600,
        rest / 60 % 60,
        rest % 60
    )
}

/// Days since the epoch as a date of the Gregorian calendar (Howard Hinnant, "chrono-compatible low-level date
/// algorithms").
fn date(days: u64) -> (u64, u64, u64) {
    let z = days + 719_468;
    let era = z / 146_097;
    let of_era = z % 146_097;
    let year = (of_era - of_era / 1460 + of_era / 36_524 - of_era / 146_096) / 365;
    let of_year = of_era - (365 * year + year / 4 - year / 100);
    let shifted = (5 * of_year + 2) / 153;
    let day = of_year - (153 * shifted + 2) / 5 + 1;
    let month = if shifted < 10 {
        shifted + 3
    } else {
        shifted - 9
    };
    (era * 400 + year + u64::from(month <= 2), month, day)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_new_version_comes_after_all_others() {
        let stamp = || stamp(1_795_708_645_875);
        let others = [
            "1999-01-01T00.00.00.000Z",
            "9999-12-31T23.59.59.999Z",
            "v2",
            &stamp(),
        ];
        for other in others {
            assert!(*after(Some(other), stamp()) > *other, "{other}");
        }
        assert_eq!(after(Some(others[0]), stamp()), stamp());
        assert_eq!(after(None, stamp()), stamp());
    }

    #[test]
    fn a_time_is_written_as_kedro_does() {
        assert_eq!(stamp(0), "1970-01-01T00.00.00.000Z");
        assert_eq!(stamp(951_827_696_789), "2000-02-29T12.34.56.789Z");
        assert_eq!(stamp(1_795_708_645_875), "2026-11-26T15.57.25.875Z");
    }
}
