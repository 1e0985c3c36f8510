//! From a signed token to its claims: signature, algorithm, issuer and audience. Times and what the claims mean are
//! the caller's business.
//!
//! A key says itself which algorithms it may be used with, those of its own sort that the configuration allows. What
//! a token says only chooses among them, so a public key is never a secret. Where a token says that its key is found
//! (`jku`, `jwk`, `x5u`) is not looked at.

mod algorithm;
pub(super) mod jwks;
mod key;
mod pem;

use std::fmt;

use base64::{Engine, engine::general_purpose::URL_SAFE_NO_PAD};
use jsonwebtoken::decode_header;
use parlance_chassis::secret::Secret;
use parlance_domain::rejection::{Code, Rejection};
use serde_json::{Map, Value};

use super::invalid;
use crate::config::AuthSection;
use jwks::{Fetching, Jwks};
use key::Key;

pub(super) use key::Demands;

pub use algorithm::{Algorithm, Family};
pub use pem::{BadKey, PublicKey};

/// The keys that tokens may be signed with, and what else is demanded of them.
#[derive(Clone)]
pub(super) struct Keys {
    algorithms: Vec<Algorithm>,
    /// Those that the configuration has itself.
    own: Vec<Key>,
    /// Those that are published elsewhere.
    published: Option<Jwks>,
}

impl Keys {
    /// The keys, and what has to run so that those which are published elsewhere are known.
    pub(super) fn new(config: &AuthSection) -> (Self, Option<Fetching>) {
        let demands = Demands::new(config);
        let secret = |secret: &Secret| Key::secret(secret.expose().as_bytes(), &demands);
        let secrets = config.jwt_secret.iter().chain(&config.jwt_previous_secrets).map(secret);
        let public = config.public_keys.iter().map(|key| Key::public(key, &demands));
        let own = secrets.chain(public).collect();
        let published = config.jwks_url.clone().map(|url| Jwks::new(url, config.jwks_refresh, demands));
        let (published, fetching) = published.unzip();
        (Self { algorithms: config.algorithms.clone(), own, published }, fetching)
    }

    /// Keys of one application. Each is used with the configured algorithms of its sort, and with all of its sort when
    /// none is configured.
    pub(super) fn own(secrets: &[Secret], public: &[PublicKey], demands: &Demands) -> Self {
        let demands = demands.with_all_of(&[
            (Family::Secret, !secrets.is_empty()),
            (Family::Rsa, public.iter().any(|key| key.family() == Family::Rsa)),
            (Family::P256, public.iter().any(|key| key.family() == Family::P256)),
            (Family::Ed25519, public.iter().any(|key| key.family() == Family::Ed25519)),
        ]);
        let secrets = secrets.iter().map(|secret| Key::secret(secret.expose().as_bytes(), &demands));
        let own = secrets.chain(public.iter().map(|key| Key::public(key, &demands))).collect();
        Self { algorithms: demands.all().to_vec(), own, published: None }
    }

    /// The claims of a token that one of the keys has signed.
    ///
    /// # Errors
    /// `token_malformed`; `token_invalid`; `unavailable` when the key may be one that is not known yet.
    pub(super) async fn verify(&self, token: &str) -> Result<Map<String, Value>, Rejection> {
        if !has_form(token) {
            return Err(Code::TokenMalformed.into());
        }
        let header = decode_header(token).map_err(|error| key::refusal(error.kind()))?;
        if header.crit.is_some() {
            // An extension that must be understood is not (RFC 7515, 4.1.11).
            return Err(invalid("the token has critical headers"));
        }
        let named = |algorithm: &&Algorithm| algorithm.jose() == header.alg;
        let Some(&algorithm) = self.algorithms.iter().find(named) else {
            return Err(invalid("the token's algorithm is not accepted"));
        };
        if let Some(outcome) = key::first(self.own.iter(), algorithm, token) {
            return outcome;
        }
        if let Some(published) = self.published.as_ref().filter(|_| algorithm.family().is_public()) {
            let keys = published.keys(algorithm, header.kid.as_deref()).await?;
            if let Some(outcome) = key::first(keys.iter().map(AsRef::as_ref), algorithm, token) {
                return outcome;
            }
        }
        Err(invalid("the token's signature is not valid"))
    }
}

/// Whether it is three parts, the first of which is an object with an algorithm (RFC 7515, 7.1).
fn has_form(token: &str) -> bool {
    let mut parts = token.split('.');
    let (Some(header), Some(_), Some(_), None) = (parts.next(), parts.next(), parts.next(), parts.next())
    else {
        return false;
    };
    let header = URL_SAFE_NO_PAD.decode(header).ok();
    let header = header.and_then(|header| serde_json::from_slice::<Map<String, Value>>(&header).ok());
    header.is_some_and(|header| header.get("alg").is_some_and(Value::is_string))
}

/// Shows no key.
impl fmt::Debug for Keys {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Keys").field("own", &self.own.len()).finish_non_exhaustive()
    }
}
