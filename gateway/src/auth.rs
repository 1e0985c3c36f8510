//! Who somebody is: tokens that an application signed, and keys that backends show. Where a token is looked for is in
//! `handshake`, what its claims mean in `claims`. Nobody's rights in a conversation are decided here.
//!
//! Tokens and keys appear in no log line and in no answer.

mod claims;
mod handshake;
mod keys;
mod mint;
mod service_keys;

use parlance_chassis::clock::Clock;
use parlance_domain::{
    rejection::{Code, Rejection},
    time::Timestamp,
    user::Profile,
};

use crate::config::AuthSection;
use claims::{ClaimNames, Claims};
use keys::Keys;

pub use handshake::{bearer, find_token};
pub use keys::Algorithm;
pub use mint::{MintError, NewToken, mint};
pub use service_keys::ServiceKeys;

/// The longest token that is looked at, in bytes.
pub const MAX_TOKEN_BYTES: usize = 8 * 1024;

/// What a valid token says.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Identity {
    /// Whose it is.
    pub user: Profile,
    /// When it ends; never, when it does not say and need not.
    pub expires_at: Option<Timestamp>,
}

/// Verifies tokens.
#[derive(Debug, Clone)]
pub struct Auth {
    keys: Keys,
    names: ClaimNames,
    leeway_ms: i64,
    require_exp: bool,
}

impl Auth {
    /// Verifies as the configuration says.
    pub fn new(config: &AuthSection) -> Self {
        Self {
            keys: Keys::new(config),
            names: ClaimNames::new(config),
            leeway_ms: i64::try_from(config.leeway.as_millis()).unwrap_or(i64::MAX),
            require_exp: config.require_exp,
        }
    }

    /// Whose the token is.
    ///
    /// # Errors
    /// `token_expired` when its time is over; `token_invalid` when anything else is wrong with it.
    pub fn verify(&self, token: &str, clock: &Clock) -> Result<Identity, Rejection> {
        if token.len() > MAX_TOKEN_BYTES {
            return Err(invalid("the token is longer than 8 KiB"));
        }
        let claims = Claims::new(self.keys.verify(token)?);
        let expires_at = self.check_times(&claims, clock)?;
        Ok(Identity { user: self.names.profile(&claims)?, expires_at })
    }

    fn check_times(&self, claims: &Claims, clock: &Clock) -> Result<Option<Timestamp>, Rejection> {
        let now = clock.now_ms();
        let expires_at = claims.time("exp")?;
        match expires_at {
            Some(end) if now >= end.0.saturating_add(self.leeway_ms) => return Err(Code::TokenExpired.into()),
            None if self.require_exp => return Err(invalid("the token has no exp")),
            _ => {}
        }
        match claims.time("nbf")? {
            Some(begin) if now.saturating_add(self.leeway_ms) < begin.0 => {
                Err(invalid("the token is not valid yet"))
            }
            _ => Ok(expires_at),
        }
    }
}

fn invalid(text: &'static str) -> Rejection {
    Rejection::with(Code::TokenInvalid, text)
}

#[cfg(test)]
mod tests;
