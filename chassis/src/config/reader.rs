//! Reads sections out of the sources and collects every mistake on the way.

use super::mistake::{ConfigErrors, Mistake, Origin};
use super::parse::{Problem, Raw};
use super::schema::Schema;
use super::setting::{Exposure, Setting};
use super::sources::{Found, Sources};

/// How much of a wrong value is shown.
const MOST_SHOWN_CHARS: usize = 80;

/// The proof that a mistake was recorded. A section reads all its settings first and uses `?` on the results
/// afterwards, so that one mistake does not hide the next.
#[derive(Debug)]
pub struct Invalid(());

/// Gives sections the values of their settings.
#[derive(Debug)]
pub struct Reader<'a> {
    schema: &'a Schema,
    sources: &'a Sources,
    mistakes: Vec<Mistake>,
}

/// Reads a whole configuration: what `build` reads, plus a check for keys and variables that nobody declared.
///
/// # Errors
/// All mistakes that were found.
pub fn read<T>(
    schema: &Schema,
    sources: &Sources,
    build: impl FnOnce(&mut Reader<'_>) -> Result<T, Invalid>,
) -> Result<T, ConfigErrors> {
    let mut reader = Reader { schema, sources, mistakes: Vec::new() };
    let built = build(&mut reader);
    let mut mistakes = reader.mistakes;
    if let Some(document) = &sources.document {
        mistakes.extend(schema.unknown_keys(document));
    }
    mistakes.extend(schema.unknown_variables(&sources.environment));
    match built {
        Ok(value) if mistakes.is_empty() => Ok(value),
        _ => Err(ConfigErrors(mistakes)),
    }
}

impl Reader<'_> {
    /// The value of a setting that must have one.
    ///
    /// # Errors
    /// When it is unset or wrong; the mistake is recorded.
    pub fn require<T>(
        &mut self,
        setting: &Setting,
        parse: impl FnOnce(&Raw) -> Result<T, Problem>,
    ) -> Result<T, Invalid> {
        match self.optional(setting, parse)? {
            Some(value) => Ok(value),
            None => {
                let variables = setting.variables().join(" or ");
                let hint = format!("set {variables}, or {} in the configuration file", setting.key);
                let problem = Problem::new("is required").hint(hint);
                Err(self.record(problem.of(setting.key, Origin::Unset)))
            }
        }
    }

    /// The value of a setting that may be unset.
    ///
    /// # Errors
    /// When it is wrong; the mistake is recorded.
    pub fn optional<T>(
        &mut self,
        setting: &Setting,
        parse: impl FnOnce(&Raw) -> Result<T, Problem>,
    ) -> Result<Option<T>, Invalid> {
        let Some(found) = self.find(setting)? else {
            return Ok(None);
        };
        match parse(&found.raw) {
            Ok(value) => Ok(Some(value)),
            Err(problem) => {
                let problem = quote(setting, &found.raw, problem);
                Err(self.record(problem.of(setting.key, found.origin)))
            }
        }
    }

    /// Records a mistake that shows only when settings are seen together; it is told about `setting`.
    pub fn refuse(&mut self, setting: &Setting, problem: Problem) -> Invalid {
        let origin = match self.sources.find(setting) {
            Ok(Some(found)) => found.origin,
            Ok(None) | Err(_) => Origin::Unset,
        };
        self.record(problem.of(setting.key, origin))
    }

    fn find(&mut self, setting: &Setting) -> Result<Option<Found>, Invalid> {
        if !self.schema.contains(setting.key) {
            // Otherwise its variable and key would be refused as unknown although something reads them.
            let problem = Problem::new("is read but missing from the schema of this binary");
            return Err(self.record(problem.of(setting.key, Origin::Unset)));
        }
        self.sources.find(setting).map_err(|mistakes| {
            self.mistakes.extend(mistakes);
            Invalid(())
        })
    }

    fn record(&mut self, mistake: Mistake) -> Invalid {
        self.mistakes.push(mistake);
        Invalid(())
    }
}

/// Puts the value before the problem when it may be shown and is a single one.
fn quote(setting: &Setting, raw: &Raw, problem: Problem) -> Problem {
    match (setting.exposure, raw) {
        (Exposure::Public, Raw::Text(text)) => {
            let shown: String = text.chars().take(MOST_SHOWN_CHARS).collect();
            let more = if shown.len() < text.len() { "…" } else { "" };
            problem.about(&format!("{shown:?}{more}"))
        }
        _ => problem,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::{Document, Environment, parse};
    use crate::secret::Secret;

    const PORT: Setting = Setting::new("demo.port", "").env(&["PORT"]);
    const LIMIT: Setting = Setting::new("demo.limit", "").default("5");
    const KEY: Setting = Setting::new("demo.key", "").secret();

    #[derive(Debug)]
    struct Demo {
        port: u16,
        limit: u32,
        key: Option<Secret>,
    }

    impl Demo {
        fn read(reader: &mut Reader<'_>) -> Result<Self, Invalid> {
            let port = reader.require(&PORT, parse::number(1..=65_535));
            let limit = reader.require(&LIMIT, parse::number(1..=10));
            let key = reader.optional(&KEY, parse::secret(8));
            let demo = Self { port: port?, limit: limit?, key: key? };
            if demo.limit > u32::from(demo.port) {
                return Err(reader.refuse(&LIMIT, Problem::new("is more than the port")));
            }
            Ok(demo)
        }
    }

    fn demo(file: &str, environment: &[(&str, &str)]) -> Result<Demo, ConfigErrors> {
        let document = Document::parse("p.toml", file)?;
        let sources = Sources::new(Some(document), Environment::from_pairs(environment.iter().copied()));
        read(&Schema::new(&[&[PORT, LIMIT, KEY]]), &sources, Demo::read)
    }

    #[test]
    fn a_correct_configuration_is_read() {
        let demo =
            demo("[demo]\nlimit = 6\n", &[("PORT", "80"), ("PARLANCE__DEMO__KEY", "longenough")]).unwrap();
        assert_eq!((demo.port, demo.limit), (80, 6));
        assert_eq!(demo.key.unwrap().expose(), "longenough");
    }

    #[test]
    fn all_mistakes_are_reported_at_once() {
        let file = "[demo]\nlimit = 11\nlimmit = 1\n";
        let told =
            demo(file, &[("PARLANCE__DEMO__KEY", "hunter2"), ("PARLANCE__X", "1")]).unwrap_err().to_string();
        let expected = [
            "5 mistakes in the configuration",
            "  demo.port (not set): is required",
            "    set PARLANCE__DEMO__PORT or PORT, or demo.port in the configuration file",
            "  demo.limit (file:p.toml): \"11\" is out of range",
            "    it must be between 1 and 10",
            "  demo.key (env:PARLANCE__DEMO__KEY): has 7 bytes, which is too short",
            "    use at least 8 bytes that nobody can guess",
            "  demo.limmit (file:p.toml): is not a setting",
            "    did you mean demo.limit?",
            "  PARLANCE__X (env:PARLANCE__X): is not a setting",
        ];
        assert_eq!(told, expected.join("\n"));
    }

    #[test]
    fn a_mistake_between_settings_stands_where_the_value_does() {
        let told = demo("", &[("PORT", "3")]).unwrap_err().to_string();
        assert!(told.ends_with("demo.limit (default): is more than the port"), "{told}");
    }

    #[test]
    fn an_unknown_key_alone_refuses_a_configuration() {
        assert_eq!(demo("other = 1", &[("PORT", "80")]).unwrap_err().0.len(), 1);
    }

    #[test]
    fn reading_what_no_schema_declares_is_a_mistake() {
        let sources = Sources::new(None, Environment::default());
        let read = read(&Schema::new(&[]), &sources, |reader| reader.require(&LIMIT, parse::number(1..=10)));
        assert!(read.unwrap_err().to_string().contains("demo.limit (not set): is read but missing"));
    }

    #[test]
    fn a_long_value_is_cut() {
        let told = demo("", &[("PORT", &"9".repeat(500))]).unwrap_err().to_string();
        assert!(told.contains(&format!("\"{}\"… is not a number", "9".repeat(80))), "{told}");
    }
}
