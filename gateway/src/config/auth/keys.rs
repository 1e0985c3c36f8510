//! The part of `[auth]` that says with what tokens may be signed.

use std::{fs, time::Duration};

use parlance_chassis::{
    config::{Invalid, Problem, Raw, Reader, Setting, parse, well_known},
    secret::Secret,
};
use url::Url;

use super::{LEAST_SECRET_BYTES, at_least_one};
use crate::auth::{Algorithm, Family, PublicKey};

pub(super) const JWT_SECRET: Setting = Setting::new(
    "auth.jwt_secret",
    "The secret that tokens are signed with. At least 32 bytes are advised (RFC 7518, 3.2). Required, unless there are \
     `auth.public_keys` or an `auth.jwks_url`.",
)
.secret()
.env(well_known::JWT_SECRET);
pub(super) const JWT_PREVIOUS_SECRETS: Setting = Setting::new(
    "auth.jwt_previous_secrets",
    "Secrets whose tokens are still accepted, while `auth.jwt_secret` is being replaced.",
)
.secret();
pub(super) const PUBLIC_KEYS: Setting = Setting::new(
    "auth.public_keys",
    "Public keys that tokens are signed with, each as PEM or as the path of a PEM file: RSA of 2048 to 4096 bits, P-256 \
     or Ed25519. Several while one is being replaced.",
)
.secret();
pub(super) const JWKS_URL: Setting = Setting::new(
    "auth.jwks_url",
    "Where the keys are published that tokens are signed with (RFC 7517). While it does not answer, the keys that are \
     known stay in use; before any are known, tokens are refused as `unavailable` and the gateway is not ready.",
)
.secret_url();
pub(super) const JWKS_REFRESH: Setting = Setting::new(
    "auth.jwks_refresh",
    "How often the published keys are fetched again. A token that names an unknown key has them fetched at once, at most \
     every 5 s.",
)
.default("5m");
pub(super) const ALGORITHMS: Setting = Setting::new(
    "auth.algorithms",
    "The algorithms that a token may be signed with, whatever it says itself: `HS256`, `HS384`, `HS512`, `RS256`, \
     `ES256`, `EdDSA`. Each needs a key that fits it.",
)
.default("HS256");

/// The largest PEM file, in bytes.
const MOST_PEM_BYTES: u64 = 64 * 1024;

/// With what tokens may be signed.
pub(super) struct SigningKeys {
    pub(super) secret: Option<Secret>,
    pub(super) previous: Vec<Secret>,
    pub(super) public: Vec<PublicKey>,
    pub(super) jwks_url: Option<Url>,
    pub(super) jwks_refresh: Duration,
    pub(super) algorithms: Vec<Algorithm>,
}

impl SigningKeys {
    pub(super) fn read(reader: &mut Reader<'_>) -> Result<Self, Invalid> {
        let secret = reader.optional(&JWT_SECRET, parse::secret(LEAST_SECRET_BYTES));
        let previous = reader.optional(&JWT_PREVIOUS_SECRETS, parse::list(parse::secret(LEAST_SECRET_BYTES)));
        let public = reader.optional(&PUBLIC_KEYS, parse::list(public_key));
        let jwks_url = reader.optional(&JWKS_URL, parse::url(&["https", "http"]));
        let refreshes = Duration::from_secs(10)..=Duration::from_secs(86_400);
        let jwks_refresh = reader.require(&JWKS_REFRESH, parse::duration(refreshes));
        let algorithms =
            reader.require(&ALGORITHMS, at_least_one(parse::list(parse::word(Algorithm::WORDS))));
        let keys = Self {
            secret: secret?,
            previous: previous?.unwrap_or_default(),
            public: public?.unwrap_or_default(),
            jwks_url: jwks_url?,
            jwks_refresh: jwks_refresh?,
            algorithms: algorithms?,
        };
        keys.check(reader)?;
        Ok(keys)
    }

    /// Each algorithm has a key, and each key an algorithm.
    fn check(&self, reader: &mut Reader<'_>) -> Result<(), Invalid> {
        if self.secret.is_none() && self.public.is_empty() && self.jwks_url.is_none() {
            let problem = Problem::new("is required")
                .hint("set JWT_SECRET or PARLANCE__AUTH__JWT_SECRET, or auth.public_keys, or auth.jwks_url");
            return Err(reader.refuse(&JWT_SECRET, problem));
        }
        let mut checked = Ok(());
        for algorithm in self.algorithms.iter().filter(|algorithm| !self.serve(algorithm.family())) {
            let problem = Problem::new(format!("has {}, for which there is no key", algorithm.word()));
            let needed = match algorithm.family() {
                Family::Secret => "set auth.jwt_secret",
                Family::Rsa => "put an RSA key into auth.public_keys, or set auth.jwks_url",
                Family::P256 => "put a P-256 key into auth.public_keys, or set auth.jwks_url",
                Family::Ed25519 => "put an Ed25519 key into auth.public_keys, or set auth.jwks_url",
            };
            let hint = format!("{needed}, or leave {} out", algorithm.word());
            checked = Err(reader.refuse(&ALGORITHMS, problem.hint(hint)));
        }
        let used = |family| self.algorithms.iter().any(|algorithm| algorithm.family() == family);
        let unused = |setting: &Setting, reader: &mut Reader<'_>| {
            let problem = Problem::new("has a key that no algorithm in auth.algorithms can use");
            Err(reader.refuse(setting, problem.hint("add HS256, RS256, ES256 or EdDSA to auth.algorithms")))
        };
        if self.secret.is_some() && !used(Family::Secret) {
            checked = unused(&JWT_SECRET, reader);
        }
        if self.public.iter().any(|key| !used(key.family())) {
            checked = unused(&PUBLIC_KEYS, reader);
        }
        if self.jwks_url.is_some() && !self.algorithms.iter().any(|algorithm| algorithm.family().is_public())
        {
            checked = unused(&JWKS_URL, reader);
        }
        checked
    }

    fn serve(&self, family: Family) -> bool {
        match family {
            Family::Secret => self.secret.is_some(),
            public => self.jwks_url.is_some() || self.public.iter().any(|key| key.family() == public),
        }
    }
}

/// PEM, or a file with it. In a variable of the environment line breaks may be written as `\n`.
fn public_key(raw: &Raw) -> Result<PublicKey, Problem> {
    let text = raw.text()?;
    let pem = if text.starts_with("-----BEGIN") {
        text.replace("\\n", "\n")
    } else {
        let unreadable = || {
            Problem::new("is neither PEM nor a file that can be read").hint("write a path, or the key itself")
        };
        let size = fs::metadata(text).map_err(|_| unreadable())?.len();
        if size > MOST_PEM_BYTES {
            return Err(Problem::new("is a file of more than 64 KiB"));
        }
        fs::read_to_string(text).map_err(|_| unreadable())?
    };
    PublicKey::from_pem(&pem).map_err(|bad| Problem::new(bad.to_string()))
}
