//! Public keys as PEM: what `openssl pkey -pubout` writes.

use std::fmt;

use jsonwebtoken::DecodingKey;
use pkcs1::RsaPublicKey;
use spki::{
    Document, ObjectIdentifier, SubjectPublicKeyInfoRef,
    der::{Decode, pem},
};

use super::{Algorithm, Family, key};

/// An RSA modulus is at least so long (RFC 7518, 3.3), in bytes.
pub(super) const LEAST_RSA_BYTES: usize = 256;
/// An RSA modulus is at most so long, in bytes: a longer one costs more than it gives.
pub(super) const MOST_RSA_BYTES: usize = 512;
/// The bytes of a key of Ed25519.
pub(super) const ED25519_BYTES: usize = 32;

const RSA: ObjectIdentifier = ObjectIdentifier::new_unwrap("1.2.840.113549.1.1.1");
const ELLIPTIC: ObjectIdentifier = ObjectIdentifier::new_unwrap("1.2.840.10045.2.1");
const P256: ObjectIdentifier = ObjectIdentifier::new_unwrap("1.2.840.10045.3.1.7");
const ED25519: ObjectIdentifier = ObjectIdentifier::new_unwrap("1.3.101.112");

/// A key with which signatures are verified, as the bytes that the sort has. Checked: it can be used.
#[derive(Clone, PartialEq, Eq)]
pub enum PublicKey {
    /// PKCS #1.
    Rsa(Vec<u8>),
    /// A point as SEC 1 writes it.
    P256(Vec<u8>),
    /// 32 bytes.
    Ed25519(Vec<u8>),
}

/// Why a text is no key, as a phrase that follows it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum BadKey {
    /// It is no PEM.
    #[error("is no PEM")]
    Pem,
    /// It must not be here.
    #[error("is a private key: nobody but who signs may have it")]
    Private,
    /// It is another thing.
    #[error("is no public key: it must begin with BEGIN PUBLIC KEY or BEGIN RSA PUBLIC KEY")]
    NoKey,
    /// It is broken.
    #[error("cannot be read as a public key")]
    Malformed,
    /// It is a key for other algorithms.
    #[error("is a key of another sort than RSA, P-256 and Ed25519")]
    Sort,
    /// It is too short or too long.
    #[error("is an RSA key that does not have 2048 to 4096 bits")]
    Length,
}

impl PublicKey {
    /// Reads one key.
    ///
    /// # Errors
    /// See [`BadKey`].
    pub fn from_pem(text: &str) -> Result<Self, BadKey> {
        let text = text.trim();
        match pem::decode_label(text.as_bytes()).map_err(|_| BadKey::Pem)? {
            "PUBLIC KEY" => {
                let (_, document) = Document::from_pem(text).map_err(|_| BadKey::Malformed)?;
                let info = SubjectPublicKeyInfoRef::from_der(document.as_bytes());
                Self::from_info(&info.map_err(|_| BadKey::Malformed)?)
            }
            "RSA PUBLIC KEY" => {
                let (_, document) = Document::from_pem(text).map_err(|_| BadKey::Malformed)?;
                Self::rsa(document.as_bytes())
            }
            label if label.ends_with("PRIVATE KEY") => Err(BadKey::Private),
            _ => Err(BadKey::NoKey),
        }
    }

    fn from_info(info: &SubjectPublicKeyInfoRef<'_>) -> Result<Self, BadKey> {
        let bytes = info.subject_public_key.as_bytes().ok_or(BadKey::Malformed)?;
        match info.algorithm.oid {
            RSA => Self::rsa(bytes),
            ELLIPTIC => match info.algorithm.parameters_oid() {
                Ok(P256) => Self::P256(bytes.to_vec()).checked(Algorithm::Es256),
                _ => Err(BadKey::Sort),
            },
            ED25519 if bytes.len() == ED25519_BYTES => {
                Self::Ed25519(bytes.to_vec()).checked(Algorithm::EdDsa)
            }
            ED25519 => Err(BadKey::Malformed),
            _ => Err(BadKey::Sort),
        }
    }

    fn rsa(der: &[u8]) -> Result<Self, BadKey> {
        let key = RsaPublicKey::from_der(der).map_err(|_| BadKey::Malformed)?;
        if !(LEAST_RSA_BYTES..=MOST_RSA_BYTES).contains(&key.modulus.as_bytes().len()) {
            return Err(BadKey::Length);
        }
        Ok(Self::Rsa(der.to_vec()))
    }

    fn checked(self, algorithm: Algorithm) -> Result<Self, BadKey> {
        if key::is_usable(&self.decoding(), algorithm) { Ok(self) } else { Err(BadKey::Malformed) }
    }

    /// Which sort of key it is.
    pub fn family(&self) -> Family {
        match self {
            Self::Rsa(_) => Family::Rsa,
            Self::P256(_) => Family::P256,
            Self::Ed25519(_) => Family::Ed25519,
        }
    }

    pub(super) fn decoding(&self) -> DecodingKey {
        match self {
            Self::Rsa(der) => DecodingKey::from_rsa_der(der),
            Self::P256(point) => DecodingKey::from_ec_der(point),
            Self::Ed25519(bytes) => DecodingKey::from_ed_der(bytes),
        }
    }
}

impl fmt::Debug for PublicKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("PublicKey").field("family", &self.family()).finish_non_exhaustive()
    }
}
