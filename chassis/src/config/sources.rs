//! Where values come from: the default, the file, the environment; the later beats the earlier.

use std::ffi::OsStr;
use std::fs::File;
use std::io::Read;
use std::path::Path;

use super::document::Document;
use super::environment::Environment;
use super::mistake::{ConfigErrors, Mistake, Origin};
use super::parse::Raw;
use super::setting::Setting;

/// The variable that names the configuration file when the command line does not.
pub const CONFIG_PATH: &str = "PARLANCE_CONFIG";

/// What a variable's `_FILE` may hold at the most, so that a wrong path is a mistake and not a full memory.
const MOST_FILE_BYTES: u64 = 64 * 1024;

/// The file, if there is one, and the environment.
#[derive(Clone, Debug)]
pub struct Sources {
    pub(super) document: Option<Document>,
    pub(super) environment: Environment,
}

/// A value and where it was found.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Found {
    pub(super) raw: Raw,
    pub(super) origin: Origin,
}

impl Sources {
    /// Puts sources together.
    pub fn new(document: Option<Document>, environment: Environment) -> Self {
        Self { document, environment }
    }

    /// Loads the file that the command line names, or else `PARLANCE_CONFIG`, or else none.
    ///
    /// # Errors
    /// When the file cannot be read or is not TOML.
    pub fn load(path: Option<&Path>, environment: Environment) -> Result<Self, ConfigErrors> {
        let path = path.or_else(|| environment.get(CONFIG_PATH).map(Path::new));
        let document = path.map(Document::load).transpose()?;
        Ok(Self { document, environment })
    }

    /// The value of a setting that counts, before it is parsed.
    pub(super) fn find(&self, setting: &Setting) -> Result<Option<Found>, Vec<Mistake>> {
        if let Some(found) = self.find_in_environment(setting)? {
            return Ok(Some(found));
        }
        if let Some(document) = &self.document
            && let Some(value) = document.get(setting.key)
        {
            let origin = document.origin();
            return match value {
                Ok(raw) => Ok(Some(Found { raw, origin })),
                Err(problem) => Err(vec![problem.of(setting.key, origin)]),
            };
        }
        let default =
            setting.default.map(|text| Found { raw: Raw::Text(text.to_owned()), origin: Origin::Default });
        Ok(default)
    }

    fn find_in_environment(&self, setting: &Setting) -> Result<Option<Found>, Vec<Mistake>> {
        let (mut set, mut mistakes): (Vec<(String, String)>, _) = (Vec::new(), Vec::new());
        for name in setting.variables() {
            match self.variable(&name) {
                Ok(found) => set.extend(found),
                Err((name, problem)) => mistakes.push(mistake(setting, name, problem)),
            }
        }
        if !mistakes.is_empty() {
            return Err(mistakes);
        }
        let Some((first, others)) = set.split_first() else {
            return Ok(None);
        };
        if others.iter().any(|(_, value)| *value != first.1) {
            let names: Vec<&str> = set.iter().map(|(name, _)| name.as_str()).collect();
            let mut mistake =
                mistake(setting, names.join(", "), "names of one setting with different values".to_owned());
            mistake.hint = Some("set one of them, or all to the same".to_owned());
            return Err(vec![mistake]);
        }
        Ok(Some(Found { raw: Raw::Text(first.1.clone()), origin: Origin::Variable(first.0.clone()) }))
    }

    /// The value of `name` or the content of the file in `name_FILE`, with the name that was set. A problem comes
    /// with the name that has it.
    fn variable(&self, name: &str) -> Result<Option<(String, String)>, (String, String)> {
        let file_name = format!("{name}_FILE");
        match (self.environment.get(name), self.environment.get(&file_name)) {
            (None, None) => Ok(None),
            (Some(_), Some(_)) => Err((name.to_owned(), format!("{name} and {file_name} are both set"))),
            (Some(value), None) => match value.to_str() {
                Some(text) => Ok(Some((name.to_owned(), text.to_owned()))),
                None => Err((name.to_owned(), "is not UTF-8".to_owned())),
            },
            (None, Some(path)) => match content(path) {
                Ok(text) => Ok(Some((file_name, text))),
                Err(problem) => Err((file_name, problem)),
            },
        }
    }
}

fn mistake(setting: &Setting, variable: String, problem: String) -> Mistake {
    Mistake { key: setting.key.to_owned(), origin: Origin::Variable(variable), problem, hint: None }
}

/// A file's text without its last line end.
fn content(path: &OsStr) -> Result<String, String> {
    let path = Path::new(path);
    let mut text = String::new();
    let read = File::open(path).and_then(|file| file.take(MOST_FILE_BYTES + 1).read_to_string(&mut text));
    match read {
        Err(error) => Err(format!("{} cannot be read: {error}", path.display())),
        Ok(bytes) if bytes as u64 > MOST_FILE_BYTES => {
            Err(format!("{} holds more than {MOST_FILE_BYTES} bytes", path.display()))
        }
        Ok(_) => {
            let line = text.strip_suffix('\n').unwrap_or(&text);
            Ok(line.strip_suffix('\r').unwrap_or(line).to_owned())
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const PORT: Setting = Setting::new("server.port", "").default("1").env(&["PORT", "SOCKET_PORT"]);

    fn sources(file: &str, environment: &[(&str, &str)]) -> Sources {
        let document = Document::parse("p.toml", file).unwrap();
        Sources::new(Some(document), Environment::from_pairs(environment.iter().copied()))
    }

    fn found(file: &str, environment: &[(&str, &str)]) -> (String, String) {
        let found = sources(file, environment).find(&PORT).unwrap().unwrap();
        (found.raw.text().unwrap().to_owned(), found.origin.to_string())
    }

    fn only_mistake(environment: &[(&str, &str)]) -> String {
        let mistakes = sources("", environment).find(&PORT).unwrap_err();
        assert_eq!(mistakes.len(), 1, "{mistakes:?}");
        mistakes.into_iter().map(|mistake| mistake.to_string()).collect()
    }

    /// A file that is removed with its owner.
    struct Scratch(std::path::PathBuf);

    impl Scratch {
        fn new(name: &str, content: &[u8]) -> Self {
            let path = std::env::temp_dir().join(format!("chassis-{}-{name}", std::process::id()));
            std::fs::write(&path, content).unwrap();
            Self(path)
        }

        fn path(&self) -> &str {
            self.0.to_str().unwrap()
        }
    }

    impl Drop for Scratch {
        fn drop(&mut self) {
            let _ = std::fs::remove_file(&self.0);
        }
    }

    #[test]
    fn the_environment_beats_the_file_and_the_file_beats_the_default() {
        let file = "server.port = 2";
        assert_eq!(found("", &[]), ("1".into(), "default".into()));
        assert_eq!(found(file, &[]), ("2".into(), "file:p.toml".into()));
        assert_eq!(found(file, &[("PORT", "3")]), ("3".into(), "env:PORT".into()));
        let own = ("PARLANCE__SERVER__PORT", "4");
        assert_eq!(found(file, &[own]), ("4".into(), "env:PARLANCE__SERVER__PORT".into()));
    }

    #[test]
    fn an_empty_variable_leaves_the_value_to_the_weaker_sources() {
        assert_eq!(found("server.port = 2", &[("PORT", "")]), ("2".into(), "file:p.toml".into()));
    }

    #[test]
    fn two_names_of_a_setting_may_agree_but_not_differ() {
        let agreeing = [("PORT", "3"), ("SOCKET_PORT", "3")];
        assert_eq!(found("", &agreeing), ("3".into(), "env:PORT".into()));
        let told = only_mistake(&[("PORT", "3"), ("SOCKET_PORT", "4")]);
        assert!(told.starts_with("server.port (env:PORT, SOCKET_PORT): "), "{told}");
        let told = only_mistake(&[("PARLANCE__SERVER__PORT", "3"), ("PORT", "4")]);
        assert!(told.contains("PARLANCE__SERVER__PORT, PORT"), "{told}");
    }

    #[test]
    fn a_variable_can_name_a_file_with_its_value() {
        let file = Scratch::new("value", b"30\r\n");
        assert_eq!(found("", &[("PORT_FILE", file.path())]), ("30".into(), "env:PORT_FILE".into()));
        let only_one_line_end_is_cut = Scratch::new("lines", b"30\n\n");
        assert_eq!(found("", &[("PORT_FILE", only_one_line_end_is_cut.path())]).0, "30\n");
    }

    #[test]
    fn a_variable_and_its_file_exclude_each_other() {
        let told = only_mistake(&[("PORT", "3"), ("PORT_FILE", "/nonexistent")]);
        assert!(told.contains("PORT and PORT_FILE are both set"), "{told}");
    }

    #[test]
    fn a_file_that_is_missing_or_endless_is_a_mistake() {
        let told = only_mistake(&[("PORT_FILE", "/nonexistent")]);
        assert!(told.contains("(env:PORT_FILE): /nonexistent cannot be read"), "{told}");
        let told = only_mistake(&[("PORT_FILE", "/dev/zero")]);
        assert!(told.contains("holds more than 65536 bytes"), "{told}");
    }

    #[test]
    fn the_environment_can_name_the_configuration_file() {
        let file = Scratch::new("parlance.toml", b"[server]\nport = 7\n");
        let environment = Environment::from_pairs([(CONFIG_PATH, file.path())]);
        let sources = Sources::load(None, environment).unwrap();
        assert_eq!(sources.find(&PORT).unwrap().unwrap().raw, Raw::Text("7".to_owned()));
    }
}
