//! What gives access to a remote, and what says that it is the right one.

use std::path::{Path, PathBuf};

use crate::fault::Fault;

/// Who we are to a server, and how it shows who it is. Never shown.
#[derive(Clone, Default)]
pub struct Access {
    /// A bearer token.
    pub token: Option<String>,
    /// Further headers.
    pub headers: Vec<(String, String)>,
    /// A file of certificates (PEM) that are trusted besides the system's.
    pub ca: Option<PathBuf>,
    /// Our certificate (PEM).
    pub client_cert: Option<PathBuf>,
    /// Its key (PEM).
    pub client_key: Option<PathBuf>,
    /// Variables that say how clouds are reached: `AWS_…`, `GOOGLE_…`, `AZURE_…`, `HOME`.
    pub variables: Vec<(String, String)>,
}

impl std::fmt::Debug for Access {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Access").finish_non_exhaustive()
    }
}

/// Text that holds a certificate or a key.
type Pem = Vec<u8>;

fn read(path: &Path) -> Result<Vec<u8>, Fault> {
    std::fs::read(path)
        .map_err(|error| Fault::refused(format!("cannot read {}: {error}", path.display())))
}

impl Access {
    /// Certificates that are trusted besides the system's.
    pub(crate) fn roots(&self) -> Result<Option<Vec<u8>>, Fault> {
        self.ca.as_deref().map(read).transpose()
    }

    /// Our certificate and its key in one.
    pub(crate) fn identity(&self) -> Result<Option<Vec<u8>>, Fault> {
        Ok(self.pair()?.map(|(mut certificate, key)| {
            certificate.push(b'\n');
            certificate.extend(key);
            certificate
        }))
    }

    /// Our certificate and its key.
    pub(crate) fn pair(&self) -> Result<Option<(Pem, Pem)>, Fault> {
        match (&self.client_cert, &self.client_key) {
            (Some(certificate), Some(key)) => Ok(Some((read(certificate)?, read(key)?))),
            (None, None) => Ok(None),
            _ => Err(Fault::refused(
                "client_cert and client_key go together, and one of them is not set",
            )),
        }
    }

    /// A variable.
    pub(crate) fn variable(&self, name: &str) -> Option<&str> {
        let found = self.variables.iter().find(|(have, _)| have == name);
        found
            .map(|(_, value)| value.as_str())
            .filter(|it| !it.is_empty())
    }
}

/// Says once for the process who does the cryptography of TLS.
pub(crate) fn provide_crypto() {
    // An error says that it is said already.
    let _ = rustls::crypto::ring::default_provider().install_default();
}
