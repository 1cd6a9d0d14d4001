//! Who vouches for what: ed25519 keys, in text and in use. The door of ed25519-dalek.
//!
//! Every writer has a key of its own: with a shared secret, each of those who may check could forge. Knows
//! nothing of where keys are kept.

use std::fmt;
use std::io::Read;
use std::str::FromStr;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use ed25519_dalek::{Signer, SigningKey, VerifyingKey};
use jalon_store::sealed::{Sealed, Signature};

/// What public keys begin with.
const PUBLIC: &str = "jalon-public:";

/// What private keys begin with.
const PRIVATE: &str = "jalon-private:";

/// Signatures of an envelope that are looked at.
const MOST: usize = 16;

/// A key that can be given to everybody. Printed as `jalon-public:` and 32 bytes in base 64.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct PublicKey([u8; 32]);

/// A key that is to be kept. Printed as `jalon-private:` and 32 bytes in base 64.
#[derive(Clone)]
pub struct PrivateKey(SigningKey);

/// A text that is no key.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NoKey(&'static str);

impl fmt::Display for NoKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "it is no {} key, which `jalon cache keygen` makes",
            self.0
        )
    }
}

impl std::error::Error for NoKey {}

fn bytes(text: &str, prefix: &str) -> Option<[u8; 32]> {
    let text = text.trim().strip_prefix(prefix)?;
    STANDARD.decode(text).ok()?.try_into().ok()
}

impl FromStr for PublicKey {
    type Err = NoKey;

    fn from_str(text: &str) -> Result<Self, NoKey> {
        let wrong = NoKey("public");
        let bytes = bytes(text, PUBLIC).ok_or_else(|| wrong.clone())?;
        let key = VerifyingKey::from_bytes(&bytes).map_err(|_| wrong.clone())?;
        // Of such a key anybody can make signatures.
        if key.is_weak() {
            return Err(wrong);
        }
        Ok(PublicKey(bytes))
    }
}

impl fmt::Display for PublicKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{PUBLIC}{}", STANDARD.encode(self.0))
    }
}

impl PublicKey {
    /// The first 12 characters behind the prefix, for people.
    pub fn short(&self) -> String {
        let mut text = STANDARD.encode(self.0);
        text.truncate(12);
        text
    }
}

impl FromStr for PrivateKey {
    type Err = NoKey;

    fn from_str(text: &str) -> Result<Self, NoKey> {
        let bytes = bytes(text, PRIVATE).ok_or(NoKey("private"))?;
        Ok(PrivateKey(SigningKey::from_bytes(&bytes)))
    }
}

impl PrivateKey {
    /// A new one, of the system's randomness.
    ///
    /// # Errors
    /// The system has none to give.
    pub fn generate() -> std::io::Result<PrivateKey> {
        let mut bytes = [0; 32];
        std::fs::File::open("/dev/urandom")?.read_exact(&mut bytes)?;
        Ok(PrivateKey(SigningKey::from_bytes(&bytes)))
    }

    /// What others check it with.
    pub fn public(&self) -> PublicKey {
        PublicKey(self.0.verifying_key().to_bytes())
    }

    /// The text that is to be kept.
    pub fn secret(&self) -> String {
        format!("{PRIVATE}{}", STANDARD.encode(self.0.to_bytes()))
    }

    /// Vouches for an envelope.
    pub fn seal(&self, sealed: &mut Sealed) {
        let signature = self.0.sign(&sealed.message());
        sealed.signatures.push(Signature {
            key: self.public().0.to_vec(),
            signature: signature.to_bytes().to_vec(),
        });
    }
}

impl fmt::Debug for PrivateKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "PrivateKey(of {})", self.public().short())
    }
}

/// The first of these keys that vouches for an envelope.
pub fn signer<'k>(sealed: &Sealed, trusted: &'k [PublicKey]) -> Option<&'k PublicKey> {
    let message = sealed.message();
    sealed.signatures.iter().take(MOST).find_map(|one| {
        let key = trusted.iter().find(|key| one.key == key.0)?;
        let signature = one.signature.as_slice().try_into().ok()?;
        let signature = ed25519_dalek::Signature::from_bytes(signature);
        let verifying = VerifyingKey::from_bytes(&key.0).ok()?;
        verifying.verify_strict(&message, &signature).ok()?;
        Some(key)
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use jalon_store::sealed::Holds;

    fn sealed() -> Sealed {
        Sealed::new(Holds::Outcome, &[7; 32], b"payload".to_vec())
    }

    #[test]
    fn keys_come_back_from_their_texts_and_others_do_not() {
        let key = PrivateKey::generate().unwrap();
        let again: PrivateKey = key.secret().parse().unwrap();
        assert_eq!(again.public(), key.public());
        let public: PublicKey = key.public().to_string().parse().unwrap();
        assert_eq!(public, key.public());
        assert!(key.secret().parse::<PublicKey>().is_err());
        assert!("jalon-public:AAAA".parse::<PublicKey>().is_err());
        // Of small order: it would accept signatures that nobody made.
        let weak = format!("{PUBLIC}{}", STANDARD.encode([0; 32]));
        assert!(weak.parse::<PublicKey>().is_err());
        assert!(!format!("{key:?}").contains(&key.secret()[PRIVATE.len()..]));
    }

    #[test]
    fn whatever_changes_in_an_envelope_breaks_the_seal() {
        let key = PrivateKey::generate().unwrap();
        let other = PrivateKey::generate().unwrap();
        let trusted = [other.public(), key.public()];
        let mut good = sealed();
        key.seal(&mut good);
        assert_eq!(signer(&good, &trusted), Some(&key.public()));
        assert_eq!(signer(&good, &[other.public()]), None);
        assert_eq!(signer(&sealed(), &trusted), None);
        let changes: [fn(&mut Sealed); 4] = [
            |it| it.holds = Holds::PathSet,
            |it| it.key[0] ^= 1,
            |it| it.payload.push(0),
            |it| it.signatures[0].signature[9] ^= 1,
        ];
        for change in changes {
            let mut bad = good.clone();
            change(&mut bad);
            assert_eq!(signer(&bad, &trusted), None);
        }
        // A signature of one key, claimed for another.
        let mut claimed = good.clone();
        claimed.signatures[0].key = other.public().0.to_vec();
        assert_eq!(signer(&claimed, &trusted), None);
        // One that is good among others that are not.
        let mut among = good.clone();
        among.signatures.insert(0, claimed.signatures[0].clone());
        assert_eq!(signer(&among, &trusted), Some(&key.public()));
    }
}
