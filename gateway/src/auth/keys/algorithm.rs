//! How tokens may be signed, and with which sort of key.

use jsonwebtoken::Algorithm as Jose;

/// How a token may be signed (RFC 7518, 3.1; RFC 8037, 3.1).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Algorithm {
    /// HMAC with SHA-256.
    Hs256,
    /// HMAC with SHA-384.
    Hs384,
    /// HMAC with SHA-512.
    Hs512,
    /// RSASSA-PKCS1-v1_5 with SHA-256.
    Rs256,
    /// ECDSA on P-256 with SHA-256.
    Es256,
    /// Ed25519.
    EdDsa,
}

/// A sort of key.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Family {
    /// What both sides know.
    Secret,
    /// RSA.
    Rsa,
    /// The curve P-256.
    P256,
    /// The curve Ed25519.
    Ed25519,
}

impl Algorithm {
    /// Every algorithm, as the configuration and tokens write it.
    pub const WORDS: &'static [(&'static str, Algorithm)] = &[
        ("HS256", Algorithm::Hs256),
        ("HS384", Algorithm::Hs384),
        ("HS512", Algorithm::Hs512),
        ("RS256", Algorithm::Rs256),
        ("ES256", Algorithm::Es256),
        ("EdDSA", Algorithm::EdDsa),
    ];

    /// The sort of key that it takes.
    pub fn family(self) -> Family {
        match self {
            Algorithm::Hs256 | Algorithm::Hs384 | Algorithm::Hs512 => Family::Secret,
            Algorithm::Rs256 => Family::Rsa,
            Algorithm::Es256 => Family::P256,
            Algorithm::EdDsa => Family::Ed25519,
        }
    }

    /// As tokens write it.
    pub fn word(self) -> &'static str {
        Self::WORDS.iter().find(|(_, algorithm)| *algorithm == self).map_or("", |(word, _)| word)
    }

    pub(crate) fn jose(self) -> Jose {
        match self {
            Algorithm::Hs256 => Jose::HS256,
            Algorithm::Hs384 => Jose::HS384,
            Algorithm::Hs512 => Jose::HS512,
            Algorithm::Rs256 => Jose::RS256,
            Algorithm::Es256 => Jose::ES256,
            Algorithm::EdDsa => Jose::EdDSA,
        }
    }
}

impl Family {
    /// Whether who can verify cannot sign.
    pub fn is_public(self) -> bool {
        self != Family::Secret
    }
}
