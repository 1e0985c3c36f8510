//! Tokens as an application would sign them, for trying things out and for tests.

use std::time::Duration;

use jsonwebtoken::{EncodingKey, Header, encode};
use parlance_chassis::clock::Clock;
use parlance_domain::id::UserId;
use serde_json::{Map, Value, json};

use super::{Algorithm, Family};
use crate::config::AuthSection;

/// What a token shall say.
#[derive(Debug, Clone)]
pub struct NewToken {
    /// Whose it is.
    pub user: UserId,
    /// The user's name.
    pub name: Option<String>,
    /// The user's role.
    pub role: Option<String>,
    /// How long it is valid.
    pub ttl: Duration,
}

/// A token could not be signed.
#[derive(Debug, thiserror::Error)]
pub enum MintError {
    /// The configuration has no place for this in a token.
    #[error("there is no claim for the {0}: the configuration lists none")]
    NoClaim(&'static str),
    /// There is nothing to sign with.
    #[error(
        "only tokens with a secret can be signed here: set auth.jwt_secret, and HS256, HS384 or HS512 in auth.algorithms"
    )]
    NoSecret,
    /// The library refused the key.
    #[error("failed to sign the token: {0}")]
    Sign(#[from] jsonwebtoken::errors::Error),
}

/// Signs a token that a gateway with this configuration accepts.
///
/// # Errors
/// When the configuration lists no claim for the name or the role, or no secret.
pub fn mint(config: &AuthSection, token: &NewToken, clock: &Clock) -> Result<String, MintError> {
    let now = clock.now_ms().div_euclid(1_000);
    let ttl = i64::try_from(token.ttl.as_secs()).unwrap_or(i64::MAX);
    let mut claims = Map::new();
    let mut put = |what: &'static str, names: &[String], value: Option<&str>| match (value, names.first()) {
        (None, _) => Ok(()),
        (Some(value), Some(name)) => {
            claims.insert(name.clone(), Value::from(value));
            Ok(())
        }
        (Some(_), None) => Err(MintError::NoClaim(what)),
    };
    put("user", &config.user_claims, Some(token.user.as_str()))?;
    put("name", &config.name_claims, token.name.as_deref())?;
    put("role", &config.role_claims, token.role.as_deref())?;
    let single = |accepted: &[String]| accepted.first().cloned();
    let registered = [
        ("iat", Some(json!(now))),
        ("exp", Some(json!(now.saturating_add(ttl)))),
        ("iss", single(&config.issuer).map(Value::from)),
        ("aud", single(&config.audience).map(Value::from)),
    ];
    claims.extend(registered.into_iter().filter_map(|(name, value)| Some((name.to_owned(), value?))));
    let of_secrets = |algorithm: &&Algorithm| algorithm.family() == Family::Secret;
    let algorithm = config.algorithms.iter().find(of_secrets);
    let (Some(secret), Some(algorithm)) = (&config.jwt_secret, algorithm) else {
        return Err(MintError::NoSecret);
    };
    let key = EncodingKey::from_secret(secret.expose().as_bytes());
    Ok(encode(&Header::new(algorithm.jose()), &claims, &key)?)
}
