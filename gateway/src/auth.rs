//! Who somebody is: tokens that an application signed, and keys that backends show. Where a token is looked for is in
//! `handshake`, what its claims mean in `claims`. Nobody's rights in a conversation are decided here.
//!
//! Tokens and keys appear in no log line and in no answer.

mod claims;
mod grants;
mod handshake;
mod keys;
mod mint;
mod own;
mod service_keys;

use std::time::Duration;

use parlance_chassis::clock::Clock;
use parlance_domain::{
    id::UserId,
    rejection::{Code, Rejection},
    time::Timestamp,
    user::Profile,
};

use crate::{config::AuthSection, membership::Policy};
use claims::{ClaimNames, Claims};
use keys::{Demands, Keys};

pub use grants::{Grants, MAX_GRANTED};
pub use handshake::{bearer, find_token};
pub use keys::{Algorithm, BadKey, Family, PublicKey, jwks::Fetching};
pub use mint::{MintError, NewToken, mint};
pub use own::{OwnClaims, OwnKeys, OwnTokens};
pub use service_keys::ServiceKeys;

/// The longest token that is looked at, in bytes.
pub const MAX_TOKEN_BYTES: usize = 8 * 1024;
/// How far in the future the moment of a revocation may be, in milliseconds.
pub const MOST_AHEAD: i64 = 300_000;

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
    demands: Demands,
    names: ClaimNames,
    leeway_ms: i64,
    require_exp: bool,
    /// How long a token may live; as long as it likes, when revocations are kept for ever.
    longest_ms: Option<i64>,
}

impl Auth {
    /// Verifies as the configuration says. What is given beside it has to run, when keys are published elsewhere.
    pub fn new(config: &AuthSection, policy: Policy) -> (Self, Option<Fetching>) {
        let (keys, fetching) = Keys::new(config);
        let ms = |duration: Duration| i64::try_from(duration.as_millis()).unwrap_or(i64::MAX);
        let leeway_ms = ms(config.leeway);
        let auth = Self {
            keys,
            demands: Demands::new(config),
            names: ClaimNames::new(config, policy),
            leeway_ms,
            require_exp: config.require_exp,
            longest_ms: config
                .revocation_ttl
                .filter(|_| config.require_exp)
                .map(|ttl| ms(ttl).saturating_add(leeway_ms)),
        };
        (auth, fetching)
    }

    /// Whose the token is. Whether it was revoked is not looked at: see [`App::identify`](crate::app::App::identify). `own`
    /// is what the tokens of the application have of their own.
    ///
    /// # Errors
    /// `token_malformed` when it has not the form of a token; `token_expired` when its time is over; `token_invalid` when
    /// anything else is wrong with it; `unavailable` when the key that it is signed with cannot be known now.
    pub async fn verify(&self, token: &str, own: &OwnTokens, clock: &Clock) -> Result<Identity, Rejection> {
        if token.len() > MAX_TOKEN_BYTES {
            return Err(invalid("the token is longer than 8 KiB"));
        }
        let keys = own.keys.as_ref().map_or(&self.keys, |keys| keys.get(&self.demands));
        let claims = Claims::new(keys.verify(token).await?);
        let expires_at = self.check_times(&claims, clock)?;
        let issued_at = self.issued_at(&claims, clock)?;
        self.check_lifetime(issued_at, expires_at, clock)?;
        let issued_at = issued_at.unwrap_or(Timestamp(i64::MIN));
        Ok(Identity {
            user: self.names.profile(&claims, &own.claims)?,
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

    /// When the token was issued. One that is far in the future, as milliseconds are where seconds belong, says nothing:
    /// no revocation would ever take it.
    fn issued_at(&self, claims: &Claims, clock: &Clock) -> Result<Option<Timestamp>, Rejection> {
        // A token for the time after a revocation may be as far ahead as that, rounded up to a second.
        let ahead = MOST_AHEAD.saturating_add(self.leeway_ms.max(1_000));
        let latest = clock.now_ms().saturating_add(ahead);
        Ok(claims.time("iat")?.filter(|issued_at| issued_at.0 <= latest))
    }

    /// A token that outlived the revocation that took it would be in force again.
    fn check_lifetime(
        &self,
        issued_at: Option<Timestamp>,
        expires_at: Option<Timestamp>,
        clock: &Clock,
    ) -> Result<(), Rejection> {
        let (Some(longest), Some(end)) = (self.longest_ms, expires_at) else { return Ok(()) };
        let begin = issued_at.map_or_else(|| clock.now_ms(), |issued_at| issued_at.0);
        if end.0.saturating_sub(begin) > longest {
            return Err(invalid("the token lives longer than revocations are kept (auth.revocation_ttl)"));
        }
        Ok(())
    }

    /// How long a revocation has to be kept from its moment on; for ever, when tokens need no end.
    pub fn revocations_are_kept(&self) -> Option<Duration> {
        // The last of the tokens that it takes is accepted a little after its end.
        let ms = self.longest_ms?.saturating_add(self.leeway_ms).saturating_add(MOST_AHEAD);
        Some(Duration::from_millis(u64::try_from(ms).unwrap_or_default()))
    }
}

fn invalid(text: &'static str) -> Rejection {
    Rejection::with(Code::TokenInvalid, text)
}

#[cfg(test)]
mod tests;
