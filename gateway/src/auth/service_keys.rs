//! The keys that backends show.

use parlance_chassis::secret::Secret;
use subtle::{Choice, ConstantTimeEq};

/// The keys that backends show. Their `Debug` shows none.
#[derive(Debug, Clone, Default)]
pub struct ServiceKeys(Vec<Secret>);

impl ServiceKeys {
    /// Accepts these keys and no others.
    pub fn new(keys: &[Secret]) -> Self {
        Self(keys.to_vec())
    }

    /// Whether `shown` is one of the keys. How long that takes tells nothing but lengths.
    pub fn check(&self, shown: &str) -> bool {
        let same = |key: &Secret| key.expose().as_bytes().ct_eq(shown.as_bytes());
        self.0.iter().map(same).fold(Choice::from(0), |any, this| any | this).into()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_a_whole_key_is_a_key() {
        let keys = ServiceKeys::new(&[Secret::new("first-service-key"), Secret::new("second-service-key")]);
        assert!(keys.check("first-service-key") && keys.check("second-service-key"));
        for wrong in ["", "first-service-ke", "first-service-key1", "FIRST-SERVICE-KEY", "third-service-key"]
        {
            assert!(!keys.check(wrong), "{wrong}");
        }
    }

    #[test]
    fn nothing_is_a_key_when_there_is_none() {
        assert!(!ServiceKeys::default().check(""));
    }
}
