//! One key that tokens may be signed with, which is used with the algorithms of its own sort and with no others.

use std::sync::Arc;

use jsonwebtoken::{DecodingKey, Validation, crypto, decode, errors::ErrorKind};
use parlance_domain::rejection::{Code, Rejection};
use serde_json::{Map, Value};

use super::{Algorithm, Family, PublicKey, invalid};
use crate::config::AuthSection;

/// What is demanded of every token, whichever key it is signed with.
#[derive(Debug, Clone)]
pub(in crate::auth) struct Demands {
    algorithms: Vec<Algorithm>,
    issuer: Vec<String>,
    audience: Vec<String>,
}

/// One key.
#[derive(Clone)]
pub(super) struct Key {
    /// What its publisher calls it.
    id: Option<String>,
    /// What it may be used with; at least one, all of the same sort.
    algorithms: Vec<Algorithm>,
    decoding: DecodingKey,
    validation: Arc<Validation>,
}

impl Demands {
    pub(in crate::auth) fn new(config: &AuthSection) -> Self {
        Self {
            algorithms: config.algorithms.clone(),
            issuer: config.issuer.clone(),
            audience: config.audience.clone(),
        }
    }

    /// The configured algorithms for a key of this sort.
    pub(super) fn algorithms(&self, family: Family) -> Vec<Algorithm> {
        self.algorithms.iter().copied().filter(|algorithm| algorithm.family() == family).collect()
    }

    /// The same with every algorithm of the sorts that are wanted and have none.
    pub(super) fn with_all_of(&self, wanted: &[(Family, bool)]) -> Self {
        let lacks = |family: Family| self.algorithms(family).is_empty();
        let missing = wanted.iter().filter(|(family, wanted)| *wanted && lacks(*family));
        let every = |(family, _): &(Family, bool)| {
            let family = *family;
            Algorithm::WORDS.iter().map(|(_, one)| *one).filter(move |one| one.family() == family)
        };
        let algorithms = self.algorithms.iter().copied().chain(missing.flat_map(every)).collect();
        Self { algorithms, ..self.clone() }
    }

    /// The configured algorithms.
    pub(super) fn all(&self) -> &[Algorithm] {
        &self.algorithms
    }

    fn validation(&self, algorithms: &[Algorithm]) -> Validation {
        let mut validation = Validation {
            algorithms: algorithms.iter().copied().map(Algorithm::jose).collect(),
            // Times are compared with the gateway's clock, not with the library's.
            validate_exp: false,
            validate_nbf: false,
            validate_aud: !self.audience.is_empty(),
            ..Validation::default()
        };
        validation.required_spec_claims.clear();
        if !self.audience.is_empty() {
            validation.set_audience(&self.audience);
            validation.required_spec_claims.insert("aud".to_owned());
        }
        if !self.issuer.is_empty() {
            validation.set_issuer(&self.issuer);
            validation.required_spec_claims.insert("iss".to_owned());
        }
        validation
    }
}

impl Key {
    /// A secret.
    pub(super) fn secret(secret: &[u8], demands: &Demands) -> Self {
        Self::new(None, demands.algorithms(Family::Secret), DecodingKey::from_secret(secret), demands)
    }

    /// A public key of the configuration.
    pub(super) fn public(key: &PublicKey, demands: &Demands) -> Self {
        Self::new(None, demands.algorithms(key.family()), key.decoding(), demands)
    }

    /// Any key, for `algorithms` of its sort.
    pub(super) fn new(
        id: Option<String>,
        algorithms: Vec<Algorithm>,
        decoding: DecodingKey,
        demands: &Demands,
    ) -> Self {
        let validation = Arc::new(demands.validation(&algorithms));
        Self { id, algorithms, decoding, validation }
    }

    /// Whether it may have signed a token with this algorithm.
    pub(super) fn serves(&self, algorithm: Algorithm) -> bool {
        self.algorithms.contains(&algorithm)
    }

    /// Whether its publisher calls it so.
    pub(super) fn is_called(&self, id: &str) -> bool {
        self.id.as_deref() == Some(id)
    }

    /// The claims; `None` when it is not this key that signed.
    fn claims(&self, token: &str) -> Option<Result<Map<String, Value>, Rejection>> {
        match decode::<Map<String, Value>>(token, &self.decoding, &self.validation) {
            Ok(verified) => Some(Ok(verified.claims)),
            Err(error) if matches!(error.kind(), ErrorKind::InvalidSignature) => None,
            Err(error) => Some(Err(refusal(error.kind()))),
        }
    }
}

/// What the first of the keys that serve `algorithm` and signed the token says of it; `None` when none has.
pub(super) fn first<'a>(
    mut keys: impl Iterator<Item = &'a Key>,
    algorithm: Algorithm,
    token: &str,
) -> Option<Result<Map<String, Value>, Rejection>> {
    keys.find_map(|key| if key.serves(algorithm) { key.claims(token) } else { None })
}

/// Whether something can be verified with a key. The library finds out as late as that, and only for curves.
pub(super) fn is_usable(key: &DecodingKey, algorithm: Algorithm) -> bool {
    crypto::verify("", &[], key, algorithm.jose()).is_ok()
}

/// What the client is told. The library's own texts may quote the token.
pub(super) fn refusal(kind: &ErrorKind) -> Rejection {
    match kind {
        ErrorKind::InvalidAlgorithm => invalid("the token's algorithm is not accepted"),
        ErrorKind::InvalidIssuer => invalid("the token's issuer is not accepted"),
        ErrorKind::InvalidAudience => invalid("the token is meant for another audience"),
        ErrorKind::MissingRequiredClaim(claim) if claim == "iss" => invalid("the token names no issuer"),
        ErrorKind::MissingRequiredClaim(claim) if claim == "aud" => invalid("the token names no audience"),
        _ => Code::TokenInvalid.into(),
    }
}

#[cfg(test)]
pub(super) mod tests {
    use super::*;

    #[test]
    fn a_sort_that_is_configured_stays_as_it_is_and_one_that_is_not_has_all_of_its_algorithms() {
        let of = |algorithms: &[Algorithm]| Demands {
            algorithms: algorithms.to_vec(),
            issuer: Vec::new(),
            audience: Vec::new(),
        };
        let (secret, rsa) = ((Family::Secret, true), (Family::Rsa, false));
        let all = [Algorithm::Rs256, Algorithm::Hs256, Algorithm::Hs384, Algorithm::Hs512];
        assert_eq!(of(&[Algorithm::Rs256]).with_all_of(&[secret, rsa]).all(), all);
        assert_eq!(of(&[Algorithm::Hs512]).with_all_of(&[secret, rsa]).all(), [Algorithm::Hs512]);
    }

    /// Every algorithm, and nothing else is asked.
    pub(in crate::auth::keys) fn demands() -> Demands {
        let algorithms = Algorithm::WORDS.iter().map(|(_, algorithm)| *algorithm).collect();
        Demands { algorithms, issuer: Vec::new(), audience: Vec::new() }
    }
}
