//! The query of a request: each parameter once.

use std::{collections::BTreeSet, convert::Infallible};

use axum::{extract::FromRequestParts, http::request::Parts};
use parlance_domain::rejection::Rejection;
use serde_json::{Map, Value};

/// The query as it was sent.
#[derive(Debug)]
pub(super) struct Query(String);

impl Query {
    /// The parameters as texts. That there are no others than the request has is looked at before, see `strict`.
    ///
    /// # Errors
    /// `invalid_payload` when one is there twice.
    pub(super) fn fields(&self) -> Result<Map<String, Value>, Rejection> {
        fields(&self.0)
    }
}

/// The parameters of a query as texts.
///
/// # Errors
/// `invalid_payload` when one is there twice.
pub(super) fn fields(query: &str) -> Result<Map<String, Value>, Rejection> {
    let mut fields = Map::new();
    for (name, value) in url::form_urlencoded::parse(query.as_bytes()) {
        if fields.contains_key(&*name) {
            return Err(Rejection::invalid(&name, "is there more than once"));
        }
        fields.insert(name.into_owned(), Value::String(value.into_owned()));
    }
    Ok(fields)
}

/// Refuses a query that has another parameter than these.
///
/// # Errors
/// `invalid_payload`.
pub(super) fn only(query: &str, known: &BTreeSet<String>) -> Result<(), Rejection> {
    let mut names = url::form_urlencoded::parse(query.as_bytes()).map(|(name, _)| name);
    if names.all(|name| known.contains(&*name)) {
        return Ok(());
    }
    if known.is_empty() {
        return Err(Rejection::invalid("the query", "has a parameter, and this request takes none"));
    }
    let known: Vec<&str> = known.iter().map(String::as_str).collect();
    Err(Rejection::invalid("the query", format!("has another parameter than {}", known.join(", "))))
}

impl<S: Send + Sync> FromRequestParts<S> for Query {
    type Rejection = Infallible;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Self, Infallible> {
        Ok(Self(parts.uri.query().unwrap_or_default().to_owned()))
    }
}

#[cfg(test)]
mod tests {
    use parlance_domain::rejection::Code;
    use serde_json::json;

    use super::*;

    fn fields(query: &str) -> Result<Value, Code> {
        let fields = Query(query.to_owned()).fields();
        fields.map(Value::Object).map_err(|rejection| rejection.code)
    }

    #[test]
    fn parameters_are_texts() {
        assert_eq!(fields(""), Ok(json!({})));
        assert_eq!(fields("before=1%30&limit="), Ok(json!({"before": "10", "limit": ""})));
    }

    #[test]
    fn unknown_and_repeated_parameters_are_refused() {
        let only = |query: &str, known: &[&str]| {
            let known = known.iter().map(|name| (*name).to_owned()).collect();
            super::only(query, &known).map_err(|rejection| rejection.code)
        };
        assert_eq!(only("before=1&limit=2", &["before", "limit"]), Ok(()));
        assert_eq!(only("befor=1", &["before", "limit"]), Err(Code::InvalidPayload));
        assert_eq!(only("before=1", &[]), Err(Code::InvalidPayload));
        assert_eq!(fields("limit=1&limit=2"), Err(Code::InvalidPayload));
    }
}
