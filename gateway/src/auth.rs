//! Who somebody is: tokens that an application signed, and keys that backends show. Where a token is looked for is in
//! `handshake`, what its claims mean in `claims`. Nobody's rights in a conversation are decided here.
//!
//! Tokens and keys appear in no log line and in no answer.

mod claims;
mod grants;
mod handshake;
mod keys;
mod mint;
mod service_keys;

use parlance_chassis::clock::Clock;
use parlance_domain::{
    id::UserId,
    rejection::{Code, Rejection},
    time::Timestamp,
    user::Profile,
};

use crate::{config::AuthSection, membership::Policy};
use claims::{ClaimNames, Claims};
use keys::Keys;

pub use grants::{Grants, MAX_GRANTED};
pub use handshake::{bearer, find_token};
pub use keys::{Algorithm, BadKey, Family, PublicKey, jwks::Fetching};
pub use mint::{MintError, NewToken, mint};
pub use service_keys::ServiceKeys;

/// The longest token that is looked at, in bytes.
pub const MAX_TOKEN_BYTES: usize = 8 * 1024;

/// What a valid token says.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Identity {
    /// Whose it is.
    pub user: Profile,
    /// When the token was made and when it ends; none for somebody without a token.
    pub validity: Option<Validity>,
    /// Which conversations it lets the user use, under a policy that asks it.
    pub grants: Grants,
}

/// When a token was made and when it ends.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Validity {
    /// When it was issued. One that does not say is older than everything.
    pub issued_at: Timestamp,
    /// When it ends; never, when it does not say and need not.
    pub expires_at: Option<Timestamp>,
}

impl Identity {
    /// Somebody without a token, who is believed what he says of himself and nothing more.
    pub fn claimed(user: UserId) -> Self {
        Self { user: Profile::unknown(user), validity: None, grants: Grants::default() }
    }

    /// When its token ends.
    pub fn expires_at(&self) -> Option<Timestamp> {
        self.validity?.expires_at
    }

    /// Whether it is by a token that was issued before that moment.
    pub fn is_revoked_by(&self, before: Timestamp) -> bool {
        self.validity.is_some_and(|validity| validity.is_revoked_by(before))
    }
}

impl Validity {
    /// Whether it was issued before that moment. Most tokens tell the second and no more, which then counts from its
    /// beginning: none that is older is taken for a newer one.
    pub fn is_revoked_by(&self, before: Timestamp) -> bool {
        self.issued_at < before
    }
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
    /// Verifies as the configuration says. What is given beside it has to run, when keys are published elsewhere.
    pub fn new(config: &AuthSection, policy: Policy) -> (Self, Option<Fetching>) {
        let (keys, fetching) = Keys::new(config);
        let auth = Self {
            keys,
            names: ClaimNames::new(config, policy),
            leeway_ms: i64::try_from(config.leeway.as_millis()).unwrap_or(i64::MAX),
            require_exp: config.require_exp,
        };
        (auth, fetching)
    }

    /// Whose the token is. Whether it was revoked is not looked at: see [`App::identify`](crate::app::App::identify).
    ///
    /// # Errors
    /// `token_expired` when its time is over; `token_invalid` when anything else is wrong with it; `unavailable` when
    /// the key that it is signed with cannot be known now.
    pub async fn verify(&self, token: &str, clock: &Clock) -> Result<Identity, Rejection> {
        if token.len() > MAX_TOKEN_BYTES {
            return Err(invalid("the token is longer than 8 KiB"));
        }
        let claims = Claims::new(self.keys.verify(token).await?);
        let expires_at = self.check_times(&claims, clock)?;
        let issued_at = claims.time("iat")?.unwrap_or(Timestamp(i64::MIN));
        Ok(Identity {
            user: self.names.profile(&claims)?,
            validity: Some(Validity { issued_at, expires_at }),
            grants: self.names.grants(&claims)?,
        })
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
