//! Reading columns as what they mean in the domain. Rows were checked when they were written: here nothing is
//! judged again, and only what cannot be represented is an error.

use chrono::{DateTime, Utc};
use parlance_domain::{
    time::Timestamp,
    user::Profile,
    version::{Seq, Version},
};
use serde::{
    Deserialize,
    de::{IntoDeserializer, value},
};

use crate::error::StoreError;

/// A counter. Columns are signed; what they hold is not.
pub(crate) fn unsigned(column: i64) -> u64 {
    u64::try_from(column).unwrap_or(0)
}

/// A counter as Postgres compares it. Beyond its range nothing is stored, so the bound compares alike.
pub(crate) fn signed(number: u64) -> i64 {
    i64::try_from(number).unwrap_or(i64::MAX)
}

/// A place among messages.
pub(crate) fn seq(column: i64) -> Seq {
    Seq(unsigned(column))
}

/// A version.
pub(crate) fn version(epoch: i64, rev: i64) -> Version {
    Version::new(unsigned(epoch), unsigned(rev))
}

/// A time; the epoch when there is none.
pub(crate) fn time(column: Option<DateTime<Utc>>) -> Timestamp {
    column.map(Timestamp::from).unwrap_or_default()
}

/// A text as one of the domain's types.
pub(crate) fn text<T: for<'a> Deserialize<'a>>(name: &str, column: String) -> Result<T, StoreError> {
    T::deserialize(IntoDeserializer::<value::Error>::into_deserializer(column))
        .map_err(|error| StoreError::Unexpected(format!("{name} {error}")))
}

/// A user as columns have him, who may be unknown: then his name is the id.
pub(crate) fn profile(
    column: &str,
    id: String,
    name: Option<String>,
    avatar: Option<String>,
    role: Option<String>,
) -> Result<Profile, StoreError> {
    let name = name.unwrap_or_else(|| id.clone());
    Ok(Profile { id: text(column, id)?, name, avatar, role })
}
