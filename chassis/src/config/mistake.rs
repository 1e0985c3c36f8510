//! What is wrong with a configuration, told to an operator: the key, where the value stands, the problem, a hint.

use std::fmt;

/// Where a value comes from.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Origin {
    /// Nowhere: nobody has set it.
    Unset,
    /// The declaration of the setting.
    Default,
    /// The TOML file at this path.
    File(String),
    /// This environment variable, or the file that it names when it ends in `_FILE`.
    Variable(String),
}

impl fmt::Display for Origin {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Unset => f.write_str("not set"),
            Self::Default => f.write_str("default"),
            Self::File(path) => write!(f, "file:{path}"),
            Self::Variable(name) => write!(f, "env:{name}"),
        }
    }
}

/// One mistake.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Mistake {
    /// The key of the setting; for what is no setting, the key or variable as it was written.
    pub key: String,
    /// Where it stands.
    pub origin: Origin,
    /// What is wrong. Never holds a secret.
    pub problem: String,
    /// What to do about it.
    pub hint: Option<String>,
}

impl fmt::Display for Mistake {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} ({}): {}", self.key, self.origin, self.problem)?;
        match &self.hint {
            Some(hint) => write!(f, "\n    {hint}"),
            None => Ok(()),
        }
    }
}

/// Everything that is wrong with a configuration; shows one mistake after the other. A process that gets these
/// ends with [`crate::exit::USAGE`].
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ConfigErrors(pub Vec<Mistake>);

impl fmt::Display for ConfigErrors {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let plural = if self.0.len() == 1 { "" } else { "s" };
        write!(f, "{} mistake{plural} in the configuration", self.0.len())?;
        self.0.iter().try_for_each(|mistake| write!(f, "\n  {mistake}"))
    }
}

impl std::error::Error for ConfigErrors {}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn all_mistakes_are_shown_with_key_origin_problem_and_hint() {
        let mistake = |key: &str, origin, hint: Option<&str>| Mistake {
            key: key.to_owned(),
            origin,
            problem: "is bad".to_owned(),
            hint: hint.map(str::to_owned),
        };
        let errors = ConfigErrors(vec![
            mistake("a.b", Origin::Variable("PORT".to_owned()), Some("do better")),
            mistake("c.d", Origin::File("p.toml".to_owned()), None),
            mistake("e.f", Origin::Unset, None),
        ]);
        assert_eq!(
            errors.to_string(),
            "3 mistakes in the configuration\n  a.b (env:PORT): is bad\n    do better\n  \
             c.d (file:p.toml): is bad\n  e.f (not set): is bad"
        );
    }
}
