//! The query of a request: each parameter once, and no others than the request has.

use std::convert::Infallible;

use axum::{extract::FromRequestParts, http::request::Parts};
use parlance_domain::rejection::Rejection;
use serde_json::{Map, Value};

/// The query as it was sent.
#[derive(Debug)]
pub(super) struct Query(String);

impl Query {
    /// The parameters as texts.
    ///
    /// # Errors
    /// `invalid_payload` when there is another parameter, or one twice.
    pub(super) fn fields(&self, known: &[&str]) -> Result<Map<String, Value>, Rejection> {
        let mut fields = Map::new();
        for (name, value) in url::form_urlencoded::parse(self.0.as_bytes()) {
            let Some(name) = known.iter().find(|known| **known == name) else {
                return Err(unknown(known));
            };
            if fields.contains_key(*name) {
                return Err(Rejection::invalid(name, "is there more than once"));
            }
            fields.insert((*name).to_owned(), Value::String(value.into_owned()));
        }
        Ok(fields)
    }
}

/// The refusal of a parameter that is none of these.
pub(super) fn unknown(known: &[&str]) -> Rejection {
    if known.is_empty() {
        return Rejection::invalid("the query", "has a parameter, and this request takes none");
    }
    Rejection::invalid("the query", format!("has another parameter than {}", known.join(", ")))
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
        let fields = Query(query.to_owned()).fields(&["before", "limit"]);
        fields.map(Value::Object).map_err(|rejection| rejection.code)
    }

    #[test]
    fn parameters_are_texts() {
        assert_eq!(fields(""), Ok(json!({})));
        assert_eq!(fields("before=1%30&limit="), Ok(json!({"before": "10", "limit": ""})));
    }

    #[test]
    fn unknown_and_repeated_parameters_are_refused() {
        assert_eq!(fields("befor=1"), Err(Code::InvalidPayload));
        assert_eq!(fields("limit=1&limit=2"), Err(Code::InvalidPayload));
    }
}
