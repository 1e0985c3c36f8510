//! What a request says, as the one argument that the fields of a route's command are looked for in: `{path, query, body}`.

use std::time::Duration;

use axum::{
    body::{Body, Bytes},
    http::{HeaderMap, Uri, header},
};
use http_body_util::{BodyExt, LengthLimitError, Limited};
use parlance_domain::rejection::{Code, Rejection};
use percent_encoding::percent_decode_str;
use serde_json::{Map, Value};

use crate::rest::{body::is_json, problem::Problem, query};

/// How long a body may take to arrive, and for how many bytes it gets another second.
const DEADLINE: Duration = Duration::from_secs(30);
const BYTES_A_SECOND: usize = 128 * 1024;

/// The parameters of the path, decoded.
///
/// # Errors
/// `invalid_payload` when one is no UTF-8.
pub(super) fn path(parameters: &[(String, String)]) -> Result<Value, Rejection> {
    let decoded = parameters.iter().map(|(name, value)| {
        let text = percent_decode_str(value).decode_utf8();
        let text = text.map_err(|_| Rejection::invalid("the path", "is no UTF-8 when it is decoded"))?;
        Ok((name.clone(), Value::from(text)))
    });
    Ok(Value::Object(decoded.collect::<Result<_, Rejection>>()?))
}

/// The parameters of the query.
///
/// # Errors
/// `invalid_payload` when one is there twice.
pub(super) fn query(uri: &Uri) -> Result<Value, Rejection> {
    query::fields(uri.query().unwrap_or_default()).map(Value::Object)
}

/// The JSON of the body; `null` when there is none.
///
/// # Errors
/// When it is larger than `most` bytes, takes too long, or is no JSON.
pub(super) async fn body(headers: &HeaderMap, body: Body, most: usize) -> Result<Value, Problem> {
    let bytes = read(headers, body, most).await?;
    if bytes.is_empty() {
        return Ok(Value::Null);
    }
    if !is_json(headers) {
        return Err(Problem::NOT_JSON);
    }
    serde_json::from_slice(&bytes).map_err(|error| {
        Rejection::with(Code::InvalidPayload, format!("the body is no JSON: {error}")).into()
    })
}

async fn read(headers: &HeaderMap, body: Body, most: usize) -> Result<Bytes, Problem> {
    let too_large = || Problem::TOO_LARGE.because(format!("a body may have {most} bytes here"));
    let said = headers.get(header::CONTENT_LENGTH).and_then(|length| length.to_str().ok()?.parse().ok());
    if said.is_some_and(|length: usize| length > most) {
        crate::rest::uploads::throw_away(body).await;
        return Err(too_large());
    }
    let more = Duration::from_secs(u64::try_from(most / BYTES_A_SECOND).unwrap_or_default());
    match tokio::time::timeout(DEADLINE + more, Limited::new(body, most).collect()).await {
        Err(_) => Err(Problem::TOO_SLOW),
        Ok(Ok(collected)) => Ok(collected.to_bytes()),
        Ok(Err(error)) if error.is::<LengthLimitError>() => Err(too_large()),
        // The connection broke, and nobody reads the answer.
        Ok(Err(_)) => Err(Rejection::with(Code::InvalidPayload, "the body did not arrive whole").into()),
    }
}

/// Everything in one.
pub(super) fn whole(path: Value, query: Value, body: Value) -> Value {
    Value::Object(Map::from_iter([
        ("path".to_owned(), path),
        ("query".to_owned(), query),
        ("body".to_owned(), body),
    ]))
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn named(value: &str) -> Vec<(String, String)> {
        vec![("id".to_owned(), value.to_owned())]
    }

    #[test]
    fn parameters_of_the_path_are_decoded_and_a_plus_stays() {
        assert_eq!(path(&named("a%2Fb+c%20d")).unwrap(), json!({"id": "a/b+c d"}));
        assert_eq!(path(&named("%FF")).unwrap_err().code, Code::InvalidPayload);
    }

    async fn said(text: &'static str, most: usize) -> Result<Value, u16> {
        let headers = [(header::CONTENT_TYPE, "application/json".parse().unwrap())];
        let read = body(&HeaderMap::from_iter(headers), Body::from(text), most).await;
        read.map_err(|problem| problem.into_rejection().0.as_u16())
    }

    #[tokio::test]
    async fn a_body_is_any_json_up_to_its_bound() {
        assert_eq!(said("", 10).await, Ok(Value::Null));
        assert_eq!(said("[1,2]", 5).await, Ok(json!([1, 2])));
        assert_eq!(said("[1,2]", 4).await, Err(413));
        assert_eq!(said("[1,", 10).await, Err(400));
        let untyped = body(&HeaderMap::new(), Body::from("{}"), 10).await.unwrap_err();
        assert_eq!(untyped.into_rejection().0.as_u16(), 415);
    }
}
