//! What a request that is not carried out is answered: `application/problem+json` (RFC 9457) with the stable code of
//! the rejection, and with codes of its own for what only HTTP can get wrong.

use std::{borrow::Cow, time::Duration};

use axum::{
    Json,
    http::{HeaderMap, HeaderValue, StatusCode, header},
    response::{IntoResponse, Response},
};
use parlance_domain::rejection::{Code, Rejection};
use serde::Serialize;

/// An answer that says what is wrong.
#[derive(Debug, Clone)]
pub(super) struct Problem {
    status: StatusCode,
    code: &'static str,
    title: &'static str,
    detail: Cow<'static, str>,
    retryable: bool,
    retry_after_ms: Option<u64>,
}

impl Problem {
    pub(super) const NO_SUCH_PATH: Self = Self::http(
        StatusCode::NOT_FOUND,
        "not_found",
        "there is no such thing",
        "there is nothing at this path",
    );
    pub(super) const NO_SUCH_METHOD: Self = Self::http(
        StatusCode::METHOD_NOT_ALLOWED,
        "method_not_allowed",
        "this cannot be done here",
        "this path does not take this method",
    );
    pub(super) const NOT_JSON: Self = Self::http(
        StatusCode::UNSUPPORTED_MEDIA_TYPE,
        "unsupported_media_type",
        "the body is of the wrong type",
        "send JSON, with Content-Type: application/json",
    );
    pub(super) const ENCODED: Self = Self::http(
        StatusCode::UNSUPPORTED_MEDIA_TYPE,
        "unsupported_encoding",
        "the body is compressed",
        "send the body as it is, without Content-Encoding",
    );
    pub(super) const TOO_LARGE: Self = Self::http(
        StatusCode::PAYLOAD_TOO_LARGE,
        "payload_too_large",
        "the body is too large",
        "a body may have 2 MiB",
    );
    pub(super) const KEY_REUSED: Self = Self::http(
        StatusCode::UNPROCESSABLE_ENTITY,
        "idempotency_key_reused",
        "the key is that of another request",
        "this Idempotency-Key came with another body before",
    );
    pub(super) const IN_PROGRESS: Self = Self {
        status: StatusCode::CONFLICT,
        code: "idempotency_in_progress",
        title: "the first request still runs",
        detail: Cow::Borrowed("the first request with this Idempotency-Key has not been answered yet"),
        retryable: true,
        retry_after_ms: Some(1_000),
    };
    pub(super) const NOT_A_FORM: Self = Self::http(
        StatusCode::UNSUPPORTED_MEDIA_TYPE,
        "unsupported_media_type",
        "the body is of the wrong type",
        "send a form, with Content-Type: multipart/form-data",
    );
    pub(super) const FILE_TYPE: Self = Self::http(
        StatusCode::UNSUPPORTED_MEDIA_TYPE,
        "unsupported_media_type",
        "files of this type are not taken",
        "the file is of a type that is not taken",
    );
    pub(super) const PRECONDITION_FAILED: Self = Self::http(
        StatusCode::PRECONDITION_FAILED,
        "precondition_failed",
        "it has changed",
        "it is not in the state that If-Match names: read it again",
    );
    pub(super) const TOO_SLOW: Self = Self {
        status: StatusCode::REQUEST_TIMEOUT,
        code: "request_timeout",
        title: "the request took too long",
        detail: Cow::Borrowed("the body did not arrive in time"),
        retryable: true,
        retry_after_ms: None,
    };

    const fn http(status: StatusCode, code: &'static str, title: &'static str, detail: &'static str) -> Self {
        Self { status, code, title, detail: Cow::Borrowed(detail), retryable: false, retry_after_ms: None }
    }

    /// The same with a text of its own.
    pub(super) fn because(self, detail: String) -> Self {
        Self { detail: Cow::Owned(detail), ..self }
    }
}

impl Problem {
    /// The status, and the same in canonical words: what only HTTP can get wrong gets the code that comes next to it.
    pub(super) fn into_rejection(self) -> (StatusCode, Rejection) {
        let known = Code::ALL.iter().copied().find(|code| code.as_str() == self.code);
        let code = known.unwrap_or(match self.status {
            StatusCode::PAYLOAD_TOO_LARGE => Code::ContentTooLarge,
            StatusCode::REQUEST_TIMEOUT => Code::Unavailable,
            _ => Code::InvalidPayload,
        });
        let mut rejection = Rejection::with(code, self.detail);
        rejection.retry_after = self.retry_after_ms.map(Duration::from_millis);
        (self.status, rejection)
    }
}

impl From<Rejection> for Problem {
    fn from(rejection: Rejection) -> Self {
        let Rejection { code, message, retry_after } = rejection;
        Self {
            status: status(code),
            code: code.as_str(),
            title: code.meaning(),
            detail: message,
            retryable: code.retryable(),
            retry_after_ms: retry_after.map(|wait| u64::try_from(wait.as_millis()).unwrap_or(u64::MAX)),
        }
    }
}

impl From<Code> for Problem {
    fn from(code: Code) -> Self {
        Rejection::from(code).into()
    }
}

fn status(code: Code) -> StatusCode {
    match code {
        Code::TokenMissing
        | Code::TokenMalformed
        | Code::TokenInvalid
        | Code::TokenExpired
        | Code::TokenRevoked
        | Code::HandshakeIncomplete => StatusCode::UNAUTHORIZED,
        Code::Forbidden | Code::NotAParticipant => StatusCode::FORBIDDEN,
        Code::NotFound | Code::UnknownEvent => StatusCode::NOT_FOUND,
        Code::Conflict | Code::LimitReached => StatusCode::CONFLICT,
        Code::InvalidPayload | Code::ContentBlank => StatusCode::BAD_REQUEST,
        Code::ContentTooLarge => StatusCode::PAYLOAD_TOO_LARGE,
        Code::RateLimited => StatusCode::TOO_MANY_REQUESTS,
        Code::Overloaded | Code::Unavailable => StatusCode::SERVICE_UNAVAILABLE,
        Code::Internal => StatusCode::INTERNAL_SERVER_ERROR,
    }
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Document<'a> {
    #[serde(rename = "type")]
    kind: String,
    title: &'a str,
    status: u16,
    detail: &'a str,
    code: &'a str,
    retryable: bool,
    #[serde(skip_serializing_if = "Option::is_none")]
    retry_after_ms: Option<u64>,
}

impl IntoResponse for Problem {
    fn into_response(self) -> Response {
        let body = Document {
            kind: format!("urn:parlance:problem:{}", self.code),
            title: self.title,
            status: self.status.as_u16(),
            detail: &self.detail,
            code: self.code,
            retryable: self.retryable,
            retry_after_ms: self.retry_after_ms,
        };
        let mut headers = HeaderMap::new();
        headers.insert(header::CONTENT_TYPE, HeaderValue::from_static("application/problem+json"));
        if let Some(ms) = self.retry_after_ms {
            // In whole seconds (RFC 9110, 10.2.3), none too early.
            headers.insert(header::RETRY_AFTER, HeaderValue::from(ms.div_ceil(1_000)));
        }
        if self.status == StatusCode::UNAUTHORIZED {
            headers.insert(header::WWW_AUTHENTICATE, HeaderValue::from_static("Bearer"));
        }
        (self.status, headers, Json(body)).into_response()
    }
}

#[cfg(test)]
mod tests {
    use axum::body::to_bytes;
    use serde_json::{Value, json};

    use super::*;

    async fn answer(problem: Problem) -> (StatusCode, HeaderMap, Value) {
        let response = problem.into_response();
        let (parts, body) = response.into_parts();
        let body = to_bytes(body, 10_000).await.unwrap();
        (parts.status, parts.headers, serde_json::from_slice(&body).unwrap())
    }

    #[tokio::test]
    async fn a_rejection_keeps_its_code_and_says_when_to_come_back() {
        let rejection = Rejection::new(Code::Overloaded).after(Duration::from_millis(1_200));
        let (status, headers, body) = answer(rejection.into()).await;
        assert_eq!(status, StatusCode::SERVICE_UNAVAILABLE);
        assert_eq!(headers.get(header::CONTENT_TYPE).unwrap(), "application/problem+json");
        assert_eq!(headers.get(header::RETRY_AFTER).unwrap(), "2");
        let expected = json!({
            "type": "urn:parlance:problem:overloaded",
            "title": "the server takes no more for now, try again later",
            "status": 503,
            "detail": "the server takes no more for now, try again later",
            "code": "overloaded",
            "retryable": true,
            "retryAfterMs": 1200,
        });
        assert_eq!(body, expected);
    }

    #[tokio::test]
    async fn a_request_without_a_token_is_told_how_to_show_one() {
        let (status, headers, body) = answer(Code::TokenMissing.into()).await;
        assert_eq!(status, StatusCode::UNAUTHORIZED);
        assert_eq!(headers.get(header::WWW_AUTHENTICATE).unwrap(), "Bearer");
        assert!(body.get("retryAfterMs").is_none() && headers.get(header::RETRY_AFTER).is_none());
    }
}
