//! `[handshake]`: where clients say who they are, when they need no token. Whether that is enough is configured, not said
//! here.

use parlance_domain::id::UserId;
use serde_json::{Number, Value};

use super::{
    mistake::Mistakes,
    section::{Section, join},
};

/// Where clients say so, when the file does not tell.
const USER: [&str; 2] = ["auth.userId", "query.userId"];

/// The section as it is written.
#[derive(Debug, Default)]
pub(super) struct Written {
    key: String,
    user: Option<Vec<String>>,
}

/// The places of a handshake in which something is looked for, in their order.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Handshake {
    user: Vec<Place>,
}

/// A place in a handshake.
#[derive(Debug, Clone, PartialEq, Eq)]
enum Place {
    /// A field of the payload of the CONNECT packet, which may be in objects.
    Auth(Vec<String>),
    /// A parameter of the URL.
    Query(String),
}

impl Written {
    pub(super) fn read(mut section: Section<'_>) -> Self {
        let key = section.path().to_owned();
        let is_list = section.is_list("user");
        let user = Some(section.texts("user")).filter(|_| is_list);
        section.finish();
        Self { key, user }
    }

    /// What it means. A place that there is not is noted.
    pub(super) fn check(&self, mistakes: &Mistakes) -> Handshake {
        let key = join(&self.key, "user");
        let standard = || USER.map(str::to_owned).to_vec();
        let written = self.user.clone().unwrap_or_else(standard);
        if written.is_empty() {
            mistakes.add_with_hint(&key, "has no place", "leave it out, or name one such as \"auth.userId\"");
        }
        let place = |text: &String| {
            let place = Place::parse(text);
            if place.is_none() {
                let hint = "write auth.<field> or query.<parameter>";
                mistakes.add_with_hint(&key, format!("`{text}` is no place of a handshake"), hint);
            }
            place
        };
        Handshake { user: written.iter().filter_map(place).collect() }
    }
}

impl Place {
    fn parse(text: &str) -> Option<Self> {
        match text.split_once('.')? {
            ("auth", path) => {
                let path: Vec<String> = path.split('.').map(str::to_owned).collect();
                (!path.iter().any(String::is_empty)).then_some(Self::Auth(path))
            }
            ("query", name) if !name.is_empty() => Some(Self::Query(name.to_owned())),
            _ => None,
        }
    }

    fn find(&self, auth: Option<&Value>, query: &impl Fn(&str) -> Option<String>) -> Option<String> {
        let found = match self {
            Self::Query(name) => query(name),
            Self::Auth(path) => {
                match path.iter().try_fold(auth?, |value, step| value.as_object()?.get(step))? {
                    Value::String(text) => Some(text.clone()),
                    Value::Number(number) if is_whole(number) => Some(number.to_string()),
                    _ => None,
                }
            }
        };
        found.filter(|text| !text.is_empty())
    }
}

fn is_whole(number: &Number) -> bool {
    number.is_i64() || number.is_u64()
}

impl Handshake {
    /// Who a client says it is: the first of the places with a text or a whole number, if that can be an id. `auth` is the
    /// payload of the CONNECT packet.
    pub(super) fn user(
        &self,
        auth: Option<&Value>,
        query: impl Fn(&str) -> Option<String>,
    ) -> Option<UserId> {
        let said = self.user.iter().find_map(|place| place.find(auth, &query))?;
        UserId::new(said).ok()
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::dialect::mistakes_of;

    fn handshake(section: &str) -> Handshake {
        let mistakes = Mistakes::of("test.toml");
        let table = section.parse().unwrap();
        let written = Written::read(Section::new("handshake", table, &mistakes));
        let handshake = written.check(&mistakes);
        assert_eq!(mistakes.count(), 0);
        handshake
    }

    fn user(handshake: &Handshake, auth: &Value, query: &[(&str, &str)]) -> Option<String> {
        let parameter =
            |name: &str| query.iter().find(|(key, _)| *key == name).map(|(_, value)| (*value).to_owned());
        handshake.user(Some(auth), parameter).map(String::from)
    }

    #[test]
    fn the_first_place_with_somebody_counts() {
        let standard = handshake("");
        assert_eq!(user(&standard, &json!({"userId": "a"}), &[("userId", "b")]).as_deref(), Some("a"));
        assert_eq!(user(&standard, &json!({"userId": 7}), &[]).as_deref(), Some("7"));
        assert_eq!(user(&standard, &json!({"userId": ""}), &[("userId", "b")]).as_deref(), Some("b"));
        assert_eq!(user(&standard, &Value::Null, &[("userId", "b")]).as_deref(), Some("b"));
        assert_eq!(standard.user(None, |_| None), None);
        for odd in [json!(null), json!(1.5), json!({"a": 1}), json!(["a"]), json!(true), json!("a\u{0}")] {
            assert_eq!(user(&standard, &json!({"userId": odd}), &[]), None);
        }
    }

    #[test]
    fn a_file_names_places_of_its_own() {
        let own = handshake("user = [\"query.uid\", \"auth.user.id\"]");
        assert_eq!(user(&own, &json!({"user": {"id": "a"}, "userId": "b"}), &[]).as_deref(), Some("a"));
        assert_eq!(user(&own, &json!({"user": {"id": "a"}}), &[("uid", "c")]).as_deref(), Some("c"));
        assert_eq!(user(&own, &json!({"userId": "b"}), &[("userId", "b")]), None);
    }

    #[test]
    fn what_is_no_place_is_a_mistake() {
        let mistakes = |user: &str| {
            let text = format!("name = \"x\"\n[handshake]\nuser = {user}\n");
            let found = mistakes_of("x.toml", &text);
            found.iter().filter(|mistake| mistake.to_string().contains("handshake.user")).count()
        };
        assert_eq!(mistakes("[\"auth.id\", \"query.id\"]"), 0);
        assert_eq!(mistakes("[\"cookie.id\", \"auth.\", \"query\", \"auth.a..b\"]"), 4);
        assert_eq!(mistakes("[]"), 1);
        assert_eq!(mistakes("\"auth.id\""), 1);
    }
}
