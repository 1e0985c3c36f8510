//! All settings of a binary: what may be set, and what is therefore a mistake.

use super::document::Document;
use super::environment::Environment;
use super::mistake::{Mistake, Origin};
use super::setting::Setting;
use super::suggest::nearest;

const PREFIX: &str = "PARLANCE__";

/// The settings of a binary, in the order of their declaration.
#[derive(Clone, Debug)]
pub struct Schema {
    settings: Vec<Setting>,
    foreign: &'static [&'static str],
}

impl Schema {
    /// The settings of these sections. The order is that of the reference and of `print-config`.
    pub fn new(sections: &[&[Setting]]) -> Self {
        Self { settings: sections.concat(), foreign: &[] }
    }

    /// Sections that another binary reads from the same file and environment: what stands in them is left to it.
    #[must_use]
    pub fn beside(self, sections: &'static [&'static str]) -> Self {
        Self { foreign: sections, ..self }
    }

    /// All settings.
    pub fn settings(&self) -> &[Setting] {
        &self.settings
    }

    /// What is wrong with the declarations themselves: keys and variables that stand twice, keys outside a
    /// section, docs that are no sentence. A test in each binary asserts that there is nothing.
    pub fn flaws(&self) -> Vec<String> {
        let keys = self.settings.iter().map(|setting| setting.key.to_owned());
        let mut names: Vec<String> = keys.chain(self.variables()).collect();
        names.sort_unstable();
        let twice = names.windows(2).filter_map(|pair| match pair {
            [one, other] if one == other => Some(format!("{one} is declared twice")),
            _ => None,
        });
        let homeless = self.settings.iter().filter(|setting| !setting.key.contains('.'));
        let homeless = homeless.map(|setting| format!("{} is in no section", setting.key));
        let unfinished = self.settings.iter().filter(|setting| !setting.doc.ends_with('.'));
        let unfinished = unfinished.map(|setting| format!("{} has a doc without a full stop", setting.key));
        twice.chain(homeless).chain(unfinished).collect()
    }

    pub(super) fn contains(&self, key: &str) -> bool {
        self.settings.iter().any(|setting| setting.key == key)
    }

    fn is_section(&self, key: &str) -> bool {
        self.settings
            .iter()
            .any(|setting| setting.key.strip_prefix(key).is_some_and(|rest| rest.starts_with('.')))
    }

    fn is_foreign(&self, key: &str) -> bool {
        key.split('.').next().is_some_and(|section| self.foreign.contains(&section))
    }

    fn is_foreign_variable(&self, name: &str) -> bool {
        let section = name.strip_prefix(PREFIX).and_then(|rest| rest.split("__").next());
        section.is_some_and(|section| self.foreign.contains(&section.to_ascii_lowercase().as_str()))
    }

    fn variables(&self) -> impl Iterator<Item = String> {
        let names = self.settings.iter().flat_map(Setting::variables);
        names.flat_map(|name| [format!("{name}_FILE"), name])
    }

    /// A mistake for each key of the file that is no setting.
    pub(super) fn unknown_keys(&self, document: &Document) -> Vec<Mistake> {
        let keys = document.keys().filter(|key| !self.contains(key) && !self.is_foreign(key));
        let unknown = keys.filter_map(|key| match self.is_section(key) {
            true if document.get(key).is_some_and(|value| value.is_err()) => None, // an empty table
            true => Some(unknown(key, document.origin(), Some(format!("it is a section: write [{key}]")))),
            false => {
                let names = self.settings.iter().map(|setting| setting.key);
                Some(unknown(key, document.origin(), nearest(key, names).map(did_you_mean)))
            }
        });
        unknown.collect()
    }

    /// A mistake for each variable that looks like a setting and is none.
    pub(super) fn unknown_variables(&self, environment: &Environment) -> Vec<Mistake> {
        let known: Vec<String> = self.variables().collect();
        let ours = environment.names().filter(|name| name.to_ascii_uppercase().starts_with(PREFIX));
        let ours = ours.filter(|name| !self.is_foreign_variable(name));
        let unknown = ours.filter(|name| !known.iter().any(|known| known == name)).map(|name| {
            let hint = nearest(name, known.iter().map(String::as_str)).map(did_you_mean);
            unknown(name, Origin::Variable(name.to_owned()), hint)
        });
        unknown.collect()
    }
}

fn unknown(key: &str, origin: Origin, hint: Option<String>) -> Mistake {
    Mistake { key: key.to_owned(), origin, problem: "is not a setting".to_owned(), hint }
}

fn did_you_mean(name: &str) -> String {
    format!("did you mean {name}?")
}

#[cfg(test)]
mod tests {
    use super::*;

    const SETTINGS: &[Setting] = &[
        Setting::new("redis.url", "").env(&["REDIS_URL"]),
        Setting::new("log.level", ""),
        Setting::new("a.b.c", ""),
    ];

    #[test]
    fn unknown_keys_are_refused_with_a_hint() {
        let text = "redis = {}\nlog = 'debug'\n[reddis]\nurl = 'x'\n[a.b]\nc = 1\n[zzz]\n";
        let document = Document::parse("p.toml", text).unwrap();
        let mistakes = Schema::new(&[SETTINGS]).unknown_keys(&document);
        let told: Vec<_> =
            mistakes.iter().map(|mistake| (mistake.key.as_str(), mistake.hint.as_deref())).collect();
        assert_eq!(
            told,
            [
                ("log", Some("it is a section: write [log]")),
                ("reddis.url", Some("did you mean redis.url?")),
                ("zzz", None)
            ]
        );
    }

    #[test]
    fn unknown_variables_with_the_prefix_are_refused_with_a_hint() {
        let environment = Environment::from_pairs([
            ("PARLANCE__REDIS__URL", "x"),
            ("PARLANCE__REDIS__URL_FILE", "x"),
            ("PARLANCE__REDIS__URI", "x"),
            ("parlance__log__level", "x"),
            ("PARLANCE_PORT", "tcp://10.0.0.1:80"),
            ("HOME", "x"),
        ]);
        let mistakes = Schema::new(&[SETTINGS]).unknown_variables(&environment);
        let told: Vec<_> =
            mistakes.iter().map(|mistake| (mistake.key.as_str(), mistake.hint.as_deref())).collect();
        assert_eq!(
            told,
            [
                ("PARLANCE__REDIS__URI", Some("did you mean PARLANCE__REDIS__URL?")),
                ("parlance__log__level", None)
            ]
        );
    }

    #[test]
    fn what_another_binary_reads_is_left_to_it() {
        let schema = Schema::new(&[SETTINGS]).beside(&["auth"]);
        let environment =
            Environment::from_pairs([("PARLANCE__AUTH__KEYS", "x"), ("PARLANCE__AUTHS__KEYS", "x")]);
        let told: Vec<_> =
            schema.unknown_variables(&environment).into_iter().map(|mistake| mistake.key).collect();
        assert_eq!(told, ["PARLANCE__AUTHS__KEYS"]);
        let document = Document::parse("p.toml", "[auth]\nkeys = 'x'\n[auths]\nkeys = 'x'\n").unwrap();
        let told: Vec<_> = schema.unknown_keys(&document).into_iter().map(|mistake| mistake.key).collect();
        assert_eq!(told, ["auths.keys"]);
    }

    #[test]
    fn flaws_of_declarations_are_found() {
        let good = &[Setting::new("redis.url", "The server.").env(&["REDIS_URL"])];
        assert_eq!(Schema::new(&[good]).flaws(), Vec::<String>::new());
        let bad =
            &[Setting::new("other.url", "Another.").env(&["REDIS_URL"]), Setting::new("port", "A port")];
        assert_eq!(
            Schema::new(&[good, bad]).flaws(),
            [
                "REDIS_URL is declared twice",
                "REDIS_URL_FILE is declared twice",
                "port is in no section",
                "port has a doc without a full stop"
            ]
        );
    }
}
