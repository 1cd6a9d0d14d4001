//! Where a remote is: its address, understood and shown.

use std::fmt;
use std::path::PathBuf;
use std::sync::Arc;

use url::Url;

use crate::access::Access;
use crate::fault::Fault;
use crate::objects::Objects;
use crate::reapi::Reapi;
use crate::tier::Tier;
use crate::wire::cloud::Cloud;
use crate::wire::directory::Directory;
use crate::wire::http::Http;

/// An address of a remote.
#[derive(Clone, PartialEq, Eq)]
pub struct Place {
    url: Url,
}

/// Why an address is none.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct BadPlace {
    /// What is wrong.
    pub message: String,
    /// What to do.
    pub help: String,
}

/// Kinds of remotes, for messages.
const KNOWN: &str = "known are https://, s3://BUCKET/PREFIX, gs://, az://, grpcs://HOST/INSTANCE and file:///DIRECTORY";

impl Place {
    /// Understands an address.
    ///
    /// # Errors
    /// It is none, or of an unknown kind.
    pub fn parse(text: &str) -> Result<Place, BadPlace> {
        let bad = |message: String| BadPlace {
            message,
            help: KNOWN.to_owned(),
        };
        let url = Url::parse(text).map_err(|error| {
            bad(format!(
                "the remote `{}` is no address: {error}",
                bare(text)
            ))
        })?;
        match url.scheme() {
            "http" | "https" | "grpc" | "grpcs" | "s3" | "gs" | "az" | "file" => {}
            other => {
                return Err(bad(format!(
                    "`{other}://` is no kind of remote that jalon knows"
                )));
            }
        }
        if url.scheme() != "file" && url.host_str().is_none_or(str::is_empty) {
            return Err(bad(format!("the remote `{}` names no host", bare(text))));
        }
        if url.scheme() == "file" && url.to_file_path().is_err() {
            return Err(bad(format!(
                "the remote `{}` names no absolute directory of this machine",
                bare(text)
            )));
        }
        Ok(Place { url })
    }

    /// Makes what talks to it; nothing is sent yet.
    ///
    /// # Errors
    /// What gives access to it cannot be read or used.
    pub(crate) fn tier(&self, access: &Access) -> Result<Arc<dyn Tier>, Fault> {
        Ok(match self.url.scheme() {
            "file" => {
                let path: PathBuf = self.url.to_file_path().unwrap_or_default();
                Arc::new(Objects::new(Directory::new(path)))
            }
            "http" | "https" => Arc::new(Objects::new(Http::new(self.url.clone(), access)?)),
            "grpc" | "grpcs" => Arc::new(Reapi::new(&self.url, access)?),
            _ => Arc::new(Objects::new(Cloud::new(&self.url, access)?)),
        })
    }

    /// Whether what is sent there can be read on the way.
    pub fn is_open(&self) -> bool {
        let local = matches!(
            self.url.host_str(),
            Some("localhost" | "127.0.0.1" | "[::1]")
        );
        matches!(self.url.scheme(), "http" | "grpc") && !local
    }
}

/// An address without what may give access: name, password, and what stands behind a question mark.
fn bare(text: &str) -> String {
    let text = text.split(['?', '#']).next().unwrap_or_default();
    match text.split_once("://") {
        Some((scheme, rest)) => {
            let (host, path) = rest
                .split_once('/')
                .map_or((rest, None), |(host, path)| (host, Some(path)));
            let host = host.rsplit('@').next().unwrap_or_default();
            let path = path.map(|path| format!("/{path}")).unwrap_or_default();
            format!("{scheme}://{host}{path}")
        }
        None => text.to_owned(),
    }
}

impl fmt::Display for Place {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&bare(self.url.as_str()))
    }
}

impl fmt::Debug for Place {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Place({self})")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_gives_access_is_never_shown() {
        let place = Place::parse("https://ann:pass@cache.example/team/x?sig=abc#d").unwrap();
        assert_eq!(place.to_string(), "https://cache.example/team/x");
        assert_eq!(format!("{place:?}"), "Place(https://cache.example/team/x)");
        let error = Place::parse("ftp://ann:pass@host/x").unwrap_err();
        assert!(!error.message.contains("pass"), "{error:?}");
        let error = Place::parse("https://ann:p ass@ho st/x?sig").unwrap_err();
        assert!(!error.message.contains("ass@"), "{error:?}");
    }

    #[test]
    fn only_what_is_known_is_taken() {
        for good in [
            "s3://b",
            "s3://b/a/b",
            "file:///tmp/x",
            "grpc://h:1/i",
            "http://h:1",
        ] {
            assert!(Place::parse(good).is_ok(), "{good}");
        }
        for bad in [
            "",
            "cache",
            "file://relative",
            "s3:///x",
            "ssh://h/x",
            "https://",
        ] {
            assert!(Place::parse(bad).is_err(), "{bad}");
        }
        assert!(Place::parse("http://far.example/").unwrap().is_open());
        assert!(!Place::parse("http://127.0.0.1:9/").unwrap().is_open());
    }
}
