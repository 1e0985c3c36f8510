//! The commands around what is known of users.

use std::collections::HashSet;

use chrono::DateTime;
use serde_json::Value;

use crate::{
    command::{Fields, limit},
    id::UserId,
    message::Metadata,
    rejection::Rejection,
    time::Timestamp,
    user::{
        MAX_AVATAR_BYTES, MAX_EMAIL_BYTES, MAX_NAME_BYTES, MAX_USER_ROLE_BYTES, MAX_USERNAME_BYTES, User,
    },
};

/// The most users that one command can write.
pub const MAX_USERS_A_COMMAND: usize = 500;
const DEFAULT_LIST_LIMIT: u64 = 50;
const MAX_LIST_LIMIT: u64 = 100;
/// The end of the year 9999.
const MAX_MOMENT_MS: i64 = 253_402_300_799_999;

/// `user.list`: everybody of whom something is known, in the order of the ids.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ListUsers {
    /// Where the page before ended.
    pub cursor: Option<String>,
    /// At most this many.
    pub limit: u64,
}

impl ListUsers {
    pub(super) fn parse(fields: &mut Fields) -> Result<Self, Rejection> {
        Ok(Self { cursor: fields.text("cursor")?, limit: limit(fields, DEFAULT_LIST_LIMIT, MAX_LIST_LIMIT)? })
    }
}

/// `user.revoke`: the tokens of a user that were issued before a moment.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RevokeTokens {
    /// Whose.
    pub user: UserId,
    /// Before which moment; now, when it is not said.
    pub before: Option<Timestamp>,
}

impl RevokeTokens {
    pub(super) fn parse(fields: &mut Fields) -> Result<Self, Rejection> {
        let before = fields.take("before").map(|before| moment(&before)).transpose()?;
        Ok(Self { user: fields.required("user")?, before })
    }
}

/// A time in ISO 8601, or in milliseconds since the Unix epoch.
fn moment(value: &Value) -> Result<Timestamp, Rejection> {
    let moment = match value {
        Value::String(text) => DateTime::parse_from_rfc3339(text).ok().map(|time| time.timestamp_millis()),
        number => number.as_i64(),
    };
    let moment = moment.filter(|moment| (0..=MAX_MOMENT_MS).contains(moment)).map(Timestamp);
    moment.ok_or_else(|| Rejection::invalid("before", "is no time: ISO 8601, or milliseconds since 1970"))
}

/// A user from his fields, whose id is in the field `id`. `place` stands before the names of fields in refusals.
pub(super) fn user(id: &str, place: &str, fields: &mut Fields) -> Result<User, Rejection> {
    let mut text = |name: &str, most: usize| -> Result<Option<String>, Rejection> {
        let named = format!("{place}{name}");
        match fields.take(name) {
            None => Ok(None),
            Some(Value::String(text)) => checked(&named, text, most).map(Some),
            Some(_) => Err(Rejection::invalid(&named, "is no text")),
        }
    };
    let missing = |name: &str| Rejection::invalid(&format!("{place}{name}"), "is missing");
    let user = match text(id, usize::MAX)? {
        Some(text) => {
            UserId::new(text).map_err(|problem| Rejection::invalid(&format!("{place}{id}"), problem))?
        }
        None => return Err(missing(id)),
    };
    Ok(User {
        id: user,
        name: Some(text("name", MAX_NAME_BYTES)?.ok_or_else(|| missing("name"))?),
        username: text("username", MAX_USERNAME_BYTES)?,
        avatar: text("avatar", MAX_AVATAR_BYTES)?,
        email: text("email", MAX_EMAIL_BYTES)?,
        role: text("role", MAX_USER_ROLE_BYTES)?,
        metadata: metadata(place, fields)?,
    })
}

fn metadata(place: &str, fields: &mut Fields) -> Result<Metadata, Rejection> {
    let metadata = fields.object("metadata").and_then(|found| Metadata::new(found.unwrap_or_default()));
    metadata.map_err(|rejection| Rejection::with(rejection.code, format!("{place}{}", rejection.message)))
}

/// A text that can be shown and stored.
fn checked(name: &str, text: String, most: usize) -> Result<String, Rejection> {
    if text.trim().is_empty() {
        Err(Rejection::invalid(name, "is blank"))
    } else if text.len() > most {
        Err(Rejection::invalid(name, format!("is longer than {most} bytes")))
    } else if text.chars().any(char::is_control) {
        Err(Rejection::invalid(name, "has a control character"))
    } else {
        Ok(text)
    }
}

/// The list `users`, each an object with an `id`, none twice.
pub(super) fn users(fields: &mut Fields) -> Result<Vec<User>, Rejection> {
    let items = fields.list("users")?.ok_or_else(|| Rejection::invalid("users", "is missing"))?;
    if items.len() > MAX_USERS_A_COMMAND {
        return Err(Rejection::invalid("users", "are more than 500"));
    }
    let mut known = HashSet::new();
    let mut users = Vec::with_capacity(items.len());
    for (index, item) in items.into_iter().enumerate() {
        let item_name = format!("users[{index}]");
        let Value::Object(item) = item else {
            return Err(Rejection::invalid(&item_name, "is no object"));
        };
        let mut item = Fields::new(item);
        let user = user("id", &format!("{item_name}."), &mut item)?;
        if let Some(unknown) = item.rest() {
            return Err(Rejection::invalid(&item_name, format!("has an unknown field {unknown:?}")));
        }
        if !known.insert(user.id.clone()) {
            return Err(Rejection::invalid(&item_name, "is there twice"));
        }
        users.push(user);
    }
    Ok(users)
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::command::{Command, CommandName};

    fn parse(name: CommandName, fields: Value) -> Result<Command, String> {
        let Value::Object(fields) = fields else { panic!("fields are an object") };
        Command::parse(name, fields).map_err(|rejection| rejection.message.into_owned())
    }

    #[test]
    fn a_user_needs_an_id_and_a_name() {
        let Ok(Command::UserPut(user)) = parse(CommandName::UserPut, json!({"user": "u", "name": "U"}))
        else {
            panic!("it is a user");
        };
        assert_eq!((user.id.as_str(), user.name.as_deref()), ("u", Some("U")));
        assert!(user.email.is_none() && user.metadata.is_empty());
    }

    #[test]
    fn a_moment_is_a_time_or_milliseconds() {
        let before = |before: Value| {
            let Command::Revoke(revoke) =
                parse(CommandName::UserRevoke, json!({"user": "u", "before": before}))?
            else {
                panic!("it revokes");
            };
            Ok::<_, String>(revoke.before)
        };
        let moment = Ok(Some(Timestamp(1_769_851_800_007)));
        assert_eq!(before(json!(1_769_851_800_007_i64)), moment);
        assert_eq!(before(json!("2026-01-31T09:30:00.007Z")), moment);
        assert_eq!(before(json!("2026-01-31T10:30:00.007+01:00")), moment);
        assert_eq!(before(Value::Null), Ok(None));
        for odd in [
            json!(-1),
            json!(1.5),
            json!(1e300),
            json!("now"),
            json!("1769851800007"),
            json!([]),
            json!(true),
        ] {
            assert!(before(odd.clone()).is_err(), "{odd}");
        }
    }

    #[test]
    fn what_does_not_fit_is_refused_by_its_field_and_place() {
        let long = |bytes: usize| "x".repeat(bytes);
        for (name, fields, told) in [
            (CommandName::UserPut, json!({"name": "U"}), "user is missing"),
            (CommandName::UserPut, json!({"user": "u"}), "name is missing"),
            (CommandName::UserPut, json!({"user": "u", "name": 7}), "name is no text"),
            (CommandName::UserPut, json!({"user": "u", "name": " "}), "name is blank"),
            (CommandName::UserPut, json!({"user": "u", "name": long(257)}), "name is longer than 256 bytes"),
            (CommandName::UserPut, json!({"user": "u", "name": "a\0"}), "name has a control character"),
            (
                CommandName::UserPut,
                json!({"user": "u", "name": "U", "metadata": []}),
                "metadata is no object",
            ),
            (CommandName::UserImport, json!({}), "users is missing"),
            (CommandName::UserImport, json!({"users": [7]}), "users[0] is no object"),
            (CommandName::UserImport, json!({"users": [{"id": "u"}]}), "users[0].name is missing"),
            (
                CommandName::UserImport,
                json!({"users": [{"id": long(129), "name": "U"}]}),
                "users[0].id is longer than 128 bytes",
            ),
            (
                CommandName::UserImport,
                json!({"users": [{"id": "u", "name": "U", "age": 7}]}),
                "users[0] has an unknown field \"age\"",
            ),
            (
                CommandName::UserImport,
                json!({"users": [{"id": "u", "name": "U", "metadata": {"a": "\0"}}]}),
                "users[0].metadata has a null character",
            ),
            (
                CommandName::UserImport,
                json!({"users": [{"id": "u", "name": "U"}, {"id": "u", "name": "V"}]}),
                "users[1] is there twice",
            ),
            (CommandName::UserImport, json!({"users": vec![json!({}); 501]}), "users are more than 500"),
        ] {
            assert_eq!(parse(name, fields.clone()).unwrap_err(), told, "{fields}");
        }
    }
}
