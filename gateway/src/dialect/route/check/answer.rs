//! What a route answers: bodies, statuses, words.

use std::{collections::HashMap, ops::RangeInclusive, sync::Arc};

use http::StatusCode;
use parlance_domain::rejection::Code;
use toml::{Table, Value};

use super::super::{
    super::{
        answer::{Answering, Failure, Form},
        mistake::{Mistakes, did_you_mean},
        section::join,
        table::File,
        template::{Scope, compile},
        vocabulary,
        words::Words,
    },
    Written,
};

/// The templates and the words.
pub(super) fn answering(file: &File, written: &Written, success: &Scope, mistakes: &Mistakes) -> Answering {
    let body_key = join(written.key(), "answer.body");
    let whole = Value::String("{$}".to_owned());
    let body = written.answer.body.as_ref().unwrap_or(&whole);
    let failure_scope = Scope { root: vocabulary::FAILURE, ..*success };
    // What the file says of every failure was checked where it stands.
    let checked = Mistakes::of("");
    let failure = match (&written.failure.body, &file.failure.ack) {
        (Some(body), _) => compile(body, &join(written.key(), "failure.body"), &failure_scope, mistakes),
        (None, Some(ack)) => compile(ack, "failure.ack", &failure_scope, &checked),
        (None, None) => compile(&Value::Boolean(false), "failure.ack", &failure_scope, &checked),
    };
    let words = |name: &str, own: &Table, of_file: &Table| {
        let key = join(written.key(), &format!("failure.{name}"));
        [Words::read(own, &key, mistakes), Words::read(of_file, "failure", &checked)]
    };
    Answering {
        success: Form { ack: compile(body, &body_key, success, mistakes), emits: Vec::new() },
        failure: Arc::new(Failure {
            form: Form { ack: failure, emits: Vec::new() },
            texts: words("texts", &written.failure.texts, &file.failure.texts),
            codes: words("codes", &written.failure.codes, &file.failure.codes),
        }),
    }
}

/// The status of what was carried out.
pub(super) fn success(status: Option<&Value>, key: &str, mistakes: &Mistakes) -> StatusCode {
    let Some(value) = status else { return StatusCode::OK };
    read_status(value, 200..=299).unwrap_or_else(|| {
        mistakes.add(key, "is no status from 200 to 299");
        StatusCode::OK
    })
}

/// The statuses of refusals.
pub(super) fn statuses(table: &Table, key: &str, mistakes: &Mistakes) -> HashMap<Code, StatusCode> {
    let mut statuses = HashMap::new();
    for (name, value) in table {
        let key = format!("{key}.failure.statuses.{name}");
        match (Code::ALL.iter().find(|code| code.as_str() == name), read_status(value, 400..=599)) {
            (None, _) => {
                let hint = did_you_mean(name, Code::ALL.iter().map(|code| code.as_str()));
                mistakes.add_with_hint(&key, "is an unknown code", hint);
            }
            (_, None) => mistakes.add(&key, "is no status from 400 to 599"),
            (Some(code), Some(status)) => {
                statuses.insert(*code, status);
            }
        }
    }
    statuses
}

fn read_status(value: &Value, range: RangeInclusive<i64>) -> Option<StatusCode> {
    let number = value.as_integer().filter(|number| range.contains(number))?;
    StatusCode::from_u16(u16::try_from(number).ok()?).ok()
}
