//! The dialects that come with the gateway: its own, which is always there, and those of five applications, of which an
//! operator chooses.

use super::{Mistake, mistake::did_you_mean};

/// The word that stands for all of them.
const ALL: &str = "all";

/// A file that is part of the gateway.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Shipped {
    /// The name of its dialect.
    pub name: &'static str,
    /// What the file is called.
    pub file: &'static str,
    /// The file itself.
    pub text: &'static str,
}

macro_rules! shipped {
    ($name:literal) => {
        Shipped {
            name: $name,
            file: concat!($name, ".toml"),
            text: include_str!(concat!("../../dialects/", $name, ".toml")),
        }
    };
}

/// The gateway's own protocol.
pub(super) const NATIVE: Shipped = shipped!("native");

const APPLICATIONS: [Shipped; 5] =
    [shipped!("clinic"), shipped!("conversations"), shipped!("diet"), shipped!("rooms"), shipped!("studio")];

impl Shipped {
    /// Every file, the gateway's own first.
    pub fn all() -> impl Iterator<Item = Shipped> {
        [NATIVE].into_iter().chain(APPLICATIONS)
    }

    /// The file of this dialect.
    pub fn named(name: &str) -> Option<Shipped> {
        Self::all().find(|shipped| shipped.name == name)
    }

    /// The files of applications that are chosen by their names, or by `all`; a name that there is not is noted.
    pub(super) fn chosen(names: &[String], mistakes: &mut Vec<Mistake>) -> Vec<Shipped> {
        if names.iter().any(|name| name == ALL) {
            return APPLICATIONS.to_vec();
        }
        for name in names {
            if Self::named(name).is_none() {
                let known = APPLICATIONS.iter().map(|shipped| shipped.name);
                mistakes.push(Mistake {
                    file: String::from("configuration"),
                    key: String::from("gateway.dialects"),
                    problem: format!("`{name}` is no dialect that comes with the gateway"),
                    hint: Some(did_you_mean(name, known.chain([ALL]))),
                });
            }
        }
        APPLICATIONS.into_iter().filter(|shipped| names.iter().any(|name| name == shipped.name)).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::dialect::{DialectIndex, validate};

    #[test]
    fn every_shipped_file_compiles_and_has_its_own_name() {
        for shipped in Shipped::all() {
            let dialect = validate::compile(shipped.file, shipped.text, DialectIndex(0));
            let dialect = dialect.unwrap_or_else(|mistakes| panic!("{mistakes:#?}"));
            assert_eq!(dialect.name(), shipped.name);
        }
    }

    #[test]
    fn they_are_chosen_by_name_or_all_together() {
        let chosen = |names: &[&str]| {
            let names: Vec<String> = names.iter().map(|name| (*name).to_owned()).collect();
            let mut mistakes = Vec::new();
            let chosen = Shipped::chosen(&names, &mut mistakes);
            (chosen.iter().map(|shipped| shipped.name).collect::<Vec<_>>(), mistakes.len())
        };
        assert_eq!(chosen(&[]), (vec![], 0));
        assert_eq!(chosen(&["studio", "diet", "native"]), (vec!["diet", "studio"], 0));
        assert_eq!(chosen(&["all"]).0.len(), APPLICATIONS.len());
        assert_eq!(chosen(&["clinc"]), (vec![], 1));
    }
}
