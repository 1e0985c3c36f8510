//! `[handshake]`: where clients say who they are and which conversation they mean, and what is believed of it. Whether a
//! client needs no token at all is configured, not said here.

mod keys;
mod place;

use parlance_domain::{
    id::{ConversationId, UserId},
    rejection::{Code, Rejection},
};
use serde_json::Value;

use super::{
    mistake::{Mistakes, did_you_mean},
    notation::Notation,
    section::{Section, join},
};
use crate::auth::{OwnClaims, OwnTokens};
use keys::KeyFiles;
use place::{Place, places};

/// Where clients say who they are, when the file does not tell.
const USER: [&str; 2] = ["auth.userId", "query.userId"];

/// The section as it is written.
#[derive(Debug, Default)]
pub(super) struct Written {
    key: String,
    user: Option<Vec<String>>,
    must_match: bool,
    conversation: Option<Vec<String>>,
    needs_conversation: Option<String>,
    claims: OwnClaims,
    files: KeyFiles,
}

/// What a handshake says, and what it has to.
#[derive(Debug)]
pub(super) struct Handshake {
    user: Vec<Place>,
    /// A client with a token must not say that it is somebody else.
    pub(super) must_match: bool,
    conversation: Vec<Place>,
    needs_conversation: Needs,
    /// How tokens are read.
    pub(super) tokens: OwnTokens,
}

/// Which clients have to name a conversation.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Needs {
    Never,
    /// Those without a token.
    Insecure,
    Always,
}

impl Needs {
    const WORDS: [(&'static str, Needs); 3] =
        [("never", Needs::Never), ("insecure", Needs::Insecure), ("always", Needs::Always)];
}

impl Written {
    pub(super) fn read(mut section: Section<'_>) -> Self {
        let mut claims = section.section("claims");
        let written = Self {
            key: section.path().to_owned(),
            user: section.optional_texts("user"),
            must_match: section.flag("must_match"),
            conversation: section.optional_texts("conversation"),
            needs_conversation: section.text("needs_conversation"),
            claims: OwnClaims {
                user: claims.optional_texts("user"),
                name: claims.optional_texts("name"),
                avatar: claims.optional_texts("avatar"),
                role: claims.optional_texts("role"),
            },
            files: KeyFiles {
                secrets: section.optional_texts("secret_files"),
                public: section.optional_texts("public_key_files"),
            },
        };
        claims.finish();
        section.finish();
        written
    }

    /// What it means. What there is not, and what cannot be read, is noted.
    pub(super) fn check(&self, mistakes: &Mistakes) -> Handshake {
        let key = |name| join(&self.key, name);
        let user = self.user.clone().unwrap_or_else(|| USER.map(str::to_owned).to_vec());
        let conversation = self.conversation.as_deref();
        if self.claims.user.as_ref().is_some_and(Vec::is_empty) {
            mistakes.add_with_hint(
                &key("claims.user"),
                "names no claim",
                "leave it out, or name the claim with the user's id",
            );
        }
        Handshake {
            user: places(&user, &key("user"), "auth.userId", mistakes),
            must_match: self.must_match,
            conversation: conversation.map_or_else(Vec::new, |written| {
                places(written, &key("conversation"), "auth.conversationId", mistakes)
            }),
            needs_conversation: self.needs_conversation(mistakes),
            tokens: OwnTokens { claims: self.claims.clone(), keys: self.files.read(&self.key, mistakes) },
        }
    }

    fn needs_conversation(&self, mistakes: &Mistakes) -> Needs {
        let Some(word) = &self.needs_conversation else { return Needs::Never };
        let key = join(&self.key, "needs_conversation");
        let Some((_, needs)) = Needs::WORDS.iter().find(|(known, _)| known == word) else {
            let hint = did_you_mean(word, Needs::WORDS.map(|(known, _)| known));
            mistakes.add_with_hint(&key, format!("`{word}` does not say who needs one"), hint);
            return Needs::Never;
        };
        if *needs != Needs::Never && self.conversation.is_none() {
            let hint = format!("set {}", join(&self.key, "conversation"));
            mistakes.add_with_hint(&key, "nobody can name a conversation", hint);
        }
        *needs
    }
}

impl Handshake {
    /// Who a client says it is: the first of the places with a text or a whole number, if that can be an id. `auth` is the
    /// payload of the CONNECT packet.
    pub(super) fn user(
        &self,
        auth: Option<&Value>,
        query: impl Fn(&str) -> Option<String>,
    ) -> Option<UserId> {
        UserId::new(place::find(&self.user, auth, &query)?).ok()
    }

    /// Which conversation a client means whenever it names none. It is written as ids are on this wire.
    ///
    /// # Errors
    /// `not_found` for what can be no id.
    pub(super) fn conversation(
        &self,
        auth: Option<&Value>,
        query: impl Fn(&str) -> Option<String>,
        notation: &Notation,
    ) -> Result<Option<ConversationId>, Rejection> {
        let Some(said) = place::find(&self.conversation, auth, &query) else { return Ok(None) };
        let id = match notation.conversations.read(Value::String(said)) {
            Value::String(id) => ConversationId::new(id).ok(),
            _ => None,
        };
        id.map(Some).ok_or_else(|| Code::NotFound.into())
    }

    /// Where a client can say who it is, if it can: the first place, as files write it.
    pub(super) fn user_place(&self) -> Option<String> {
        self.user.first().map(ToString::to_string)
    }

    /// Where a client can say which conversation it means, if it can: the first place, as files write it.
    pub(super) fn conversation_place(&self) -> Option<String> {
        self.conversation.first().map(ToString::to_string)
    }

    /// Whether a client has to name a conversation.
    pub(super) fn needs_conversation(&self, has_token: bool) -> bool {
        match self.needs_conversation {
            Needs::Never => false,
            Needs::Insecure => !has_token,
            Needs::Always => true,
        }
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::dialect::{mistakes_of, notation::IdForm};

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

    /// The mistakes under `[handshake]`.
    fn mistakes_in(section: &str) -> Vec<String> {
        let found = mistakes_of("x.toml", &format!("name = \"x\"\n[handshake]\n{section}\n"));
        let found = found.iter().map(ToString::to_string);
        found.filter(|mistake| mistake.contains(": handshake.")).collect()
    }

    #[test]
    fn what_is_no_place_is_a_mistake() {
        let mistakes = |user: &str| mistakes_in(&format!("user = {user}")).len();
        assert_eq!(mistakes("[\"auth.id\", \"query.id\"]"), 0);
        assert_eq!(mistakes("[\"cookie.id\", \"auth.\", \"query\", \"auth.a..b\"]"), 4);
        assert_eq!(mistakes("[]"), 1);
        assert_eq!(mistakes("\"auth.id\""), 1);
    }

    #[test]
    fn a_conversation_is_written_as_ids_are_on_the_wire() {
        let form = |number, prefix: &str| IdForm { number, prefix: prefix.to_owned() };
        let tickets = Notation { conversations: form(true, "ticket_"), ..Notation::default() };
        let own = handshake("conversation = [\"auth.ticket\", \"query.ticket\"]");
        let find = |auth: Value, notation: &Notation| {
            own.conversation(Some(&auth), |_| None, notation).map(|found| found.map(String::from))
        };
        let plain = Notation::default();
        assert_eq!(find(json!({"ticket": 7}), &tickets), Ok(Some("ticket_7".to_owned())));
        assert_eq!(find(json!({"ticket": "ticket_7"}), &tickets), Ok(Some("ticket_7".to_owned())));
        assert_eq!(find(json!({"ticket": "7"}), &plain), Ok(Some("7".to_owned())));
        assert_eq!(find(json!({"ticket": ""}), &plain), Ok(None));
        assert_eq!(find(json!({"ticket": {"id": 7}}), &plain), Ok(None));
        assert_eq!(find(json!({"ticket": "x".repeat(200)}), &plain), Err(Code::NotFound.into()));
        assert_eq!(own.conversation(None, |_| Some("a".to_owned()), &plain).unwrap().unwrap().as_str(), "a");
    }

    #[test]
    fn who_needs_a_conversation_is_one_of_three_words() {
        let needs = |word: &str| {
            let places = "conversation = [\"auth.c\"]";
            let own = handshake(&format!("{places}\nneeds_conversation = \"{word}\""));
            (own.needs_conversation(false), own.needs_conversation(true))
        };
        assert_eq!(needs("never"), (false, false));
        assert_eq!(needs("insecure"), (true, false));
        assert_eq!(needs("always"), (true, true));
        assert_eq!(
            mistakes_in("conversation = [\"auth.c\"]\nneeds_conversation = \"insecur\""),
            [
                "x.toml: handshake.needs_conversation: `insecur` does not say who needs one (hint: did you mean `insecure`?)"
            ]
        );
        assert_eq!(
            mistakes_in("needs_conversation = \"always\""),
            [
                "x.toml: handshake.needs_conversation: nobody can name a conversation (hint: set handshake.conversation)"
            ]
        );
    }

    #[test]
    fn keys_and_claims_that_are_none_are_mistakes() {
        let found = mistakes_in(
            "claims = { user = [], nmae = [\"n\"] }\nsecret_files = [\"/no/such/file\"]\npublic_key_files = []\nmust_match = 1",
        );
        let begin =
            |key: &str| found.iter().filter(|one| one.contains(&format!("handshake.{key}: "))).count();
        for key in ["claims.user", "claims.nmae", "secret_files", "public_key_files", "must_match"] {
            assert_eq!(begin(key), 1, "{key}: {found:?}");
        }
    }

    #[test]
    fn keys_are_found_beside_the_dialects_file() {
        let folder = std::env::temp_dir().join(format!("parlance-keys-{:016x}", rand::random::<u64>()));
        std::fs::create_dir(&folder).unwrap();
        for (name, text) in [("good", "a secret of some length\n"), ("short", "short\n")] {
            std::fs::write(folder.join(name), text).unwrap();
        }
        let found = |file: &str| {
            let path = folder.join("x.toml").display().to_string();
            let text = format!("name = \"x\"\n[handshake]\nsecret_files = [\"{file}\"]\n");
            let found = mistakes_of(&path, &text);
            found.iter().filter(|mistake| mistake.key == "handshake.secret_files").count()
        };
        assert_eq!((found("good"), found("short"), found("none")), (0, 1, 1));
        std::fs::remove_dir_all(&folder).unwrap();
    }
}
