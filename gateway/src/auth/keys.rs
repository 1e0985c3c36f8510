//! From a signed token to its claims: signature, algorithm, issuer and audience. Times and what the claims mean are
//! the caller's business.

use std::fmt;

use jsonwebtoken::{DecodingKey, Validation, decode, errors::ErrorKind};
use parlance_chassis::secret::Secret;
use parlance_domain::rejection::{Code, Rejection};
use serde_json::{Map, Value};

use super::invalid;
use crate::config::AuthSection;

/// How a token may be signed (RFC 7518, 3.1).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Algorithm {
    /// HMAC with SHA-256.
    Hs256,
}

impl Algorithm {
    /// Every algorithm, as the configuration and tokens write it.
    pub const WORDS: &'static [(&'static str, Algorithm)] = &[("HS256", Algorithm::Hs256)];

    pub(super) fn jose(self) -> jsonwebtoken::Algorithm {
        match self {
            Algorithm::Hs256 => jsonwebtoken::Algorithm::HS256,
        }
    }
}

/// The keys that tokens may be signed with, and what else is demanded of them.
#[derive(Clone)]
pub(super) struct Keys {
    keys: Vec<DecodingKey>,
    validation: Validation,
}

impl Keys {
    pub(super) fn new(config: &AuthSection) -> Self {
        let secrets = std::iter::once(&config.jwt_secret).chain(&config.jwt_previous_secrets);
        let key = |secret: &Secret| DecodingKey::from_secret(secret.expose().as_bytes());
        Self { keys: secrets.map(key).collect(), validation: validation(config) }
    }

    /// The claims of a token that one of the keys has signed.
    pub(super) fn verify(&self, token: &str) -> Result<Map<String, Value>, Rejection> {
        for key in &self.keys {
            match decode::<Map<String, Value>>(token, key, &self.validation) {
                // An extension that must be understood is not (RFC 7515, 4.1.11).
                Ok(verified) if verified.header.crit.is_some() => {
                    return Err(invalid("the token has critical headers"));
                }
                Ok(verified) => return Ok(verified.claims),
                Err(error) if matches!(error.kind(), ErrorKind::InvalidSignature) => {}
                Err(error) => return Err(refusal(error.kind())),
            }
        }
        Err(invalid("the token's signature is not valid"))
    }
}

/// Shows no key.
impl fmt::Debug for Keys {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Keys").field("keys", &self.keys.len()).finish_non_exhaustive()
    }
}

fn validation(config: &AuthSection) -> Validation {
    let mut validation = Validation {
        algorithms: config.algorithms.iter().copied().map(Algorithm::jose).collect(),
        // Times are compared with the gateway's clock, not with the library's.
        validate_exp: false,
        validate_nbf: false,
        validate_aud: !config.audience.is_empty(),
        ..Validation::default()
    };
    validation.required_spec_claims.clear();
    if !config.audience.is_empty() {
        validation.set_audience(&config.audience);
        validation.required_spec_claims.insert("aud".to_owned());
    }
    if !config.issuer.is_empty() {
        validation.set_issuer(&config.issuer);
        validation.required_spec_claims.insert("iss".to_owned());
    }
    validation
}

/// What the client is told. The library's own texts may quote the token.
fn refusal(kind: &ErrorKind) -> Rejection {
    match kind {
        ErrorKind::InvalidAlgorithm => invalid("the token's algorithm is not accepted"),
        ErrorKind::InvalidIssuer => invalid("the token's issuer is not accepted"),
        ErrorKind::InvalidAudience => invalid("the token is meant for another audience"),
        ErrorKind::MissingRequiredClaim(claim) if claim == "iss" => invalid("the token names no issuer"),
        ErrorKind::MissingRequiredClaim(claim) if claim == "aud" => invalid("the token names no audience"),
        _ => Code::TokenInvalid.into(),
    }
}
