//! What the tokens of one application have of their own: the claims in which they say who somebody is, and the keys that
//! they are signed with. What is not said here is as it is configured for the gateway.

use std::{fmt, sync::OnceLock};

use parlance_chassis::secret::Secret;

use super::{
    PublicKey,
    keys::{Demands, Keys},
};

/// How an application's tokens differ from those that the gateway is configured for.
#[derive(Debug, Default)]
pub struct OwnTokens {
    /// Where they say who somebody is.
    pub claims: OwnClaims,
    /// What they are signed with. Tokens that are signed with the gateway's keys are not this application's then.
    pub keys: Option<OwnKeys>,
}

/// Names of claims, in the order in which they are looked for; `None` are those of the configuration.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct OwnClaims {
    /// Instead of `auth.user_claims`.
    pub user: Option<Vec<String>>,
    /// Instead of `auth.name_claims`.
    pub name: Option<Vec<String>>,
    /// Instead of `auth.avatar_claims`.
    pub avatar: Option<Vec<String>>,
    /// Instead of `auth.role_claims`.
    pub role: Option<Vec<String>>,
}

/// Keys by which no other application's tokens are verified.
pub struct OwnKeys {
    secrets: Vec<Secret>,
    public: Vec<PublicKey>,
    /// Made when they are first needed: what else is demanded of tokens is known then.
    made: OnceLock<Keys>,
}

impl OwnKeys {
    /// These and no others.
    pub fn new(secrets: Vec<Secret>, public: Vec<PublicKey>) -> Self {
        Self { secrets, public, made: OnceLock::new() }
    }

    pub(super) fn get(&self, demands: &Demands) -> &Keys {
        self.made.get_or_init(|| Keys::own(&self.secrets, &self.public, demands))
    }
}

/// Shows no key.
impl fmt::Debug for OwnKeys {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let count = self.secrets.len() + self.public.len();
        f.debug_struct("OwnKeys").field("count", &count).finish_non_exhaustive()
    }
}
