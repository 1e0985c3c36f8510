//! The declaration of one setting: everything that is known about it before anybody sets it.

use url::Url;

use crate::secret::REDACTED;

/// What of a value may be shown.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Exposure {
    /// All of it.
    Public,
    /// A URL with credentials: its scheme, host, port and path.
    Url,
    /// Nothing.
    Secret,
}

/// A setting, declared once as a `const` and built with the methods below.
#[derive(Clone, Copy, Debug)]
pub struct Setting {
    /// The dotted key in the file, section first: `redis.url`.
    pub key: &'static str,
    /// What it does, in a sentence or two, for the reference. The last thing in it is a full stop.
    pub doc: &'static str,
    /// The value when nobody sets it, as text; without one the setting is unset.
    pub default: Option<&'static str>,
    /// What of its value may be shown.
    pub exposure: Exposure,
    /// Environment variables besides `PARLANCE__SECTION__KEY`.
    pub env: &'static [&'static str],
}

impl Setting {
    /// A public setting without a default.
    pub const fn new(key: &'static str, doc: &'static str) -> Self {
        Self { key, doc, default: None, exposure: Exposure::Public, env: &[] }
    }

    /// Gives it a default, as one would write it in the environment.
    pub const fn default(mut self, text: &'static str) -> Self {
        self.default = Some(text);
        self
    }

    /// Its value is never shown.
    pub const fn secret(mut self) -> Self {
        self.exposure = Exposure::Secret;
        self
    }

    /// Its value is a URL whose credentials and parameters are never shown.
    pub const fn secret_url(mut self) -> Self {
        self.exposure = Exposure::Url;
        self
    }

    /// Further environment variables that set it, see [`super::well_known`].
    pub const fn env(mut self, names: &'static [&'static str]) -> Self {
        self.env = names;
        self
    }

    /// All variables that set it, `PARLANCE__…` first. Each may carry `_FILE`.
    pub fn variables(&self) -> Vec<String> {
        let own = format!("PARLANCE__{}", self.key.to_ascii_uppercase().replace('.', "__"));
        std::iter::once(own).chain(self.env.iter().map(|&name| name.to_owned())).collect()
    }

    /// The part of a value that may be shown.
    pub(super) fn show(&self, value: &str) -> String {
        match self.exposure {
            Exposure::Public => value.to_owned(),
            Exposure::Url => without_credentials(value),
            Exposure::Secret => REDACTED.to_owned(),
        }
    }
}

fn without_credentials(value: &str) -> String {
    let Ok(mut url) = Url::parse(value) else {
        return REDACTED.to_owned();
    };
    if url.cannot_be_a_base() {
        return REDACTED.to_owned();
    }
    let credentials = url.password().is_some() || !url.username().is_empty();
    // Both only fail for URLs without a host, which then carry no credentials.
    let _ = url.set_username(if credentials { "redacted" } else { "" });
    let _ = url.set_password(None);
    if url.query().is_some() {
        url.set_query(Some("redacted"));
    }
    url.set_fragment(None);
    url.into()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn variables_follow_the_key() {
        let setting = Setting::new("redis.command_deadline", "").env(&["DEADLINE"]);
        assert_eq!(setting.variables(), ["PARLANCE__REDIS__COMMAND_DEADLINE", "DEADLINE"]);
    }

    #[test]
    fn what_is_shown_depends_on_the_exposure() {
        let public = Setting::new("a.b", "");
        assert_eq!(public.show("x"), "x");
        assert_eq!(public.secret().show("x"), REDACTED);
        let url = public.secret_url();
        assert_eq!(url.show("redis://u:p@h:1/2?password=p#p"), "redis://redacted@h:1/2?redacted");
        assert_eq!(url.show("redis://:p@h"), "redis://redacted@h");
        assert_eq!(url.show("redis://h:6379"), "redis://h:6379");
        for odd in ["u:p@h", "p", "", "mailto:p"] {
            assert_eq!(url.show(odd), REDACTED, "{odd}");
        }
    }
}
