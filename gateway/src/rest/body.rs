//! The body of a request: one JSON object with the fields that the request has, and no others.

use std::time::Duration;

use axum::{
    body::Bytes,
    extract::{FromRequest, OptionalFromRequest, Request},
    http::{HeaderMap, header},
};
use parlance_domain::rejection::{Code, Rejection};
use serde_json::{Map, Value};

use super::problem::Problem;

/// How long a body may take to arrive.
const DEADLINE: Duration = Duration::from_secs(30);

/// A JSON object.
#[derive(Debug)]
pub(super) struct Body(Map<String, Value>);

impl Body {
    /// The fields, by their canonical names. `known` pairs a field of the request with its canonical name.
    ///
    /// # Errors
    /// `invalid_payload` when there is another field.
    pub(super) fn fields(self, known: &[(&str, &str)]) -> Result<Map<String, Value>, Rejection> {
        let canonical = |(name, value): (String, Value)| match known.iter().find(|(field, _)| *field == name)
        {
            Some((_, canonical)) => Ok(((*canonical).to_owned(), value)),
            None => Err(Rejection::invalid(&shown(&name), "is not a field of this request")),
        };
        self.0.into_iter().map(canonical).collect()
    }
}

impl<S: Send + Sync> FromRequest<S> for Body {
    type Rejection = Problem;

    async fn from_request(request: Request, state: &S) -> Result<Self, Problem> {
        if !is_json(request.headers()) {
            return Err(Problem::NOT_JSON);
        }
        Ok(Self(object(&read(request, state).await?)?))
    }
}

/// A request that needs no body may have none, of whatever type.
impl<S: Send + Sync> OptionalFromRequest<S> for Body {
    type Rejection = Problem;

    async fn from_request(request: Request, state: &S) -> Result<Option<Self>, Problem> {
        let is_json = is_json(request.headers());
        let bytes = read(request, state).await?;
        if bytes.is_empty() {
            return Ok(None);
        }
        if !is_json {
            return Err(Problem::NOT_JSON);
        }
        Ok(Some(Self(object(&bytes)?)))
    }
}

/// The bytes of a body.
///
/// # Errors
/// When it is larger than bodies may be, or takes too long.
pub(super) async fn read<S: Send + Sync>(request: Request, state: &S) -> Result<Bytes, Problem> {
    match tokio::time::timeout(DEADLINE, Bytes::from_request(request, state)).await {
        Err(_) => Err(Problem::TOO_SLOW),
        // Otherwise the connection broke, and nobody reads the answer.
        Ok(Err(_)) => Err(Problem::TOO_LARGE),
        Ok(Ok(bytes)) => Ok(bytes),
    }
}

pub(super) fn is_json(headers: &HeaderMap) -> bool {
    let value = headers.get(header::CONTENT_TYPE).and_then(|value| value.to_str().ok()).unwrap_or_default();
    let essence = value.split(';').next().unwrap_or_default().trim().to_ascii_lowercase();
    essence == "application/json" || (essence.starts_with("application/") && essence.ends_with("+json"))
}

fn object(bytes: &[u8]) -> Result<Map<String, Value>, Rejection> {
    let refused = |text| Rejection::with(Code::InvalidPayload, text);
    match serde_json::from_slice(bytes) {
        Ok(Value::Object(fields)) => Ok(fields),
        Ok(_) => Err(refused("the body is JSON but no object".to_owned())),
        // The library's text says what it expected, and quotes nothing of a text.
        Err(error) => Err(refused(format!("the body is no JSON: {error}"))),
    }
}

/// A name that somebody else wrote, short enough to be read back to them.
fn shown(name: &str) -> String {
    const MOST_CHARS: usize = 64;
    name.chars().filter(|c| !c.is_control()).take(MOST_CHARS).collect()
}

#[cfg(test)]
mod tests {
    use axum::http::HeaderValue;
    use serde_json::json;

    use super::*;

    fn body(value: &Value) -> Body {
        Body(object(value.to_string().as_bytes()).unwrap())
    }

    #[test]
    fn fields_get_their_canonical_names() {
        let fields = body(&json!({"clientId": "a", "content": "b"}))
            .fields(&[("content", "content"), ("clientId", "client_id")])
            .unwrap();
        assert_eq!(Value::Object(fields), json!({"client_id": "a", "content": "b"}));
    }

    #[test]
    fn an_unknown_field_is_refused_by_its_name() {
        let refused = body(&json!({"contnet": "a"})).fields(&[("content", "content")]).unwrap_err();
        assert_eq!(refused, Rejection::invalid("contnet", "is not a field of this request"));
    }

    #[test]
    fn a_body_that_is_no_object_is_refused() {
        for text in ["", "[]", "1", "{", "{\"a\":1}x", "\u{feff}{}"] {
            assert_eq!(object(text.as_bytes()).unwrap_err().code, Code::InvalidPayload, "{text}");
        }
    }

    #[test]
    fn a_body_nested_too_deeply_is_refused() {
        let text = format!("{{\"a\":{}", "[".repeat(100_000));
        assert_eq!(object(text.as_bytes()).unwrap_err().code, Code::InvalidPayload);
    }

    #[test]
    fn only_json_is_json() {
        let of =
            |value| is_json(&HeaderMap::from_iter([(header::CONTENT_TYPE, HeaderValue::from_static(value))]));
        assert!(of("application/json") && of("Application/JSON; charset=utf-8") && of("application/ld+json"));
        assert!(!of("text/plain") && !of("application/x-www-form-urlencoded") && !is_json(&HeaderMap::new()));
    }
}
