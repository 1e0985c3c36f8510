//! `Idempotency-Key`: a `POST` that is repeated with the same key is answered with the first answer and not carried out
//! again. Middleware; the handlers know nothing of it, except that sending a message is given a name by the key.
//!
//! A request is claimed in Redis while it runs, and its answer is kept there. Keys are scoped to who asks, for whom, and
//! what for, and only a hash of all that is a name in Redis.

use std::time::Duration;

use axum::{
    body::{Body, Bytes, to_bytes},
    extract::{FromRequestParts, Request, State},
    http::{HeaderMap, HeaderName, HeaderValue, Method, StatusCode, header, request::Parts},
    middleware::Next,
    response::{IntoResponse, Response},
};
use parlance_broker::idempotency::{Claim, Claimed};
use parlance_domain::{
    id::ClientId,
    rejection::{Code, Rejection},
};
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};
use tokio::sync::oneshot;

use super::{body, caller::Caller, problem::Problem};
use crate::app::App;

const KEY: HeaderName = HeaderName::from_static("idempotency-key");
const REPLAYED: HeaderName = HeaderName::from_static("idempotency-replayed");
/// The longest key, in bytes.
const MAX_KEY_BYTES: usize = 255;
/// The largest answer that is kept, in bytes.
const MAX_ANSWER_BYTES: usize = 256 * 1024;
/// How long an answer is repeated.
const KEEP: Duration = Duration::from_secs(24 * 3_600);
/// How long a request may run, unless its gateway dies, before a repetition is carried out.
const CLAIM: Duration = Duration::from_secs(60);
/// Where files are put, which are streamed and not kept to be compared.
const UPLOADS: &str = "/v1/uploads";

/// What a message is called that is sent with a key and without a `clientId` of its own: even when the answer was not
/// kept, the same key makes no second message.
#[derive(Debug, Clone)]
pub(super) struct KeyedName(pub(super) ClientId);

/// An answer as it is kept.
#[derive(Debug, Serialize, Deserialize)]
struct Answer {
    /// The hash of the request's body.
    asked: String,
    status: u16,
    #[serde(skip_serializing_if = "Option::is_none")]
    content_type: Option<String>,
    body: String,
}

/// Middleware: answers a repeated request with the first answer.
pub(super) async fn once(State(app): State<App>, request: Request, next: Next) -> Response {
    if request.method() != Method::POST || !request.headers().contains_key(KEY) {
        return next.run(request).await;
    }
    keyed(app, request, next).await.unwrap_or_else(IntoResponse::into_response)
}

async fn keyed(app: App, request: Request, next: Next) -> Result<Response, Problem> {
    let (mut parts, body) = request.into_parts();
    let key = key(&parts.headers)?.to_owned();
    if parts.uri.path() == UPLOADS {
        return Err(Rejection::invalid("Idempotency-Key", "is not for uploads").into());
    }
    let caller = Caller::from_request_parts(&mut parts, &app).await?;
    let name = name(&caller, &parts, &key);
    let bytes = body::read(Request::from_parts(parts.clone(), body), &app).await?;
    let asked = hex(&Sha256::digest(&bytes));
    let token = format!("{:032x}", rand::random::<u128>());
    let claimed = app.broker.claim(&name, &asked, &token, CLAIM).await.map_err(|error| away(&error))?;
    match claimed {
        Claimed::Answered(answer) => repeated(&answer, &asked),
        Claimed::Running(other) if other != asked => Err(Problem::KEY_REUSED),
        Claimed::Running(_) => Err(Problem::IN_PROGRESS),
        Claimed::Now(claim) => {
            parts.extensions.insert(KeyedName(client_id(&name)?));
            let request = Request::from_parts(parts, Body::from(bytes));
            carried_out(app, claim, asked, request, next).await
        }
    }
}

/// Carries the request out to its end, even when nobody waits for the answer any more: it is there when they come back.
async fn carried_out(
    app: App,
    claim: Claim,
    asked: String,
    request: Request,
    next: Next,
) -> Result<Response, Problem> {
    let (sender, answered) = oneshot::channel();
    let task = app.clone();
    app.lifecycle.spawn_request("idempotent request", async move {
        let response = next.run(request).await;
        // Who asked may have gone.
        let _ = sender.send(kept(&task, &claim, asked, response).await);
    });
    answered.await.map_err(|_| Code::Unavailable.into())
}

/// Keeps an answer that a repetition can be given; lets the key go after any other.
async fn kept(app: &App, claim: &Claim, asked: String, response: Response) -> Response {
    let (parts, body) = response.into_parts();
    let known_size = http_body::Body::size_hint(&body).upper().and_then(|bytes| usize::try_from(bytes).ok());
    let (bytes, body) = match known_size {
        Some(size) if size <= MAX_ANSWER_BYTES && is_final(parts.status) => {
            match to_bytes(body, size).await {
                Ok(bytes) => (Some(bytes.clone()), Body::from(bytes)),
                Err(_) => (None, Body::empty()),
            }
        }
        _ => (None, body),
    };
    let answer = bytes.and_then(|bytes| to_answer(asked, parts.status, &parts.headers, &bytes));
    let ended = match answer {
        Some(answer) => app.broker.keep_answer(claim, &answer, KEEP).await,
        None => app.broker.release(claim).await,
    };
    match ended {
        Ok(true) => {}
        Ok(false) => tracing::warn!("a request took longer than its claim on an idempotency key"),
        Err(error) => {
            tracing::warn!(%error, "failed to keep the answer to a request with an idempotency key");
        }
    }
    Response::from_parts(parts, body)
}

fn to_answer(asked: String, status: StatusCode, headers: &HeaderMap, body: &Bytes) -> Option<String> {
    let content_type = headers.get(header::CONTENT_TYPE).and_then(|value| value.to_str().ok());
    let answer = Answer {
        asked,
        status: status.as_u16(),
        content_type: content_type.map(str::to_owned),
        body: str::from_utf8(body).ok()?.to_owned(),
    };
    serde_json::to_string(&answer).ok()
}

/// Whether the same request would be answered with the same again.
fn is_final(status: StatusCode) -> bool {
    !status.is_server_error()
        && status != StatusCode::TOO_MANY_REQUESTS
        && status != StatusCode::REQUEST_TIMEOUT
}

fn repeated(answer: &str, asked: &str) -> Result<Response, Problem> {
    let answer: Answer = serde_json::from_str(answer).map_err(|_| Code::Internal)?;
    if answer.asked != asked {
        return Err(Problem::KEY_REUSED);
    }
    let mut response = Response::new(Body::from(answer.body));
    *response.status_mut() = StatusCode::from_u16(answer.status).map_err(|_| Code::Internal)?;
    let headers = response.headers_mut();
    if let Some(kind) = answer.content_type.and_then(|kind| HeaderValue::try_from(kind).ok()) {
        headers.insert(header::CONTENT_TYPE, kind);
    }
    headers.insert(REPLAYED, HeaderValue::from_static("true"));
    Ok(response)
}

fn key(headers: &HeaderMap) -> Result<&str, Rejection> {
    let refused = |problem: &str| Rejection::invalid("Idempotency-Key", problem);
    let mut values = headers.get_all(KEY).iter();
    let (Some(value), None) = (values.next(), values.next()) else {
        return Err(refused("is there more than once"));
    };
    let visible = value.as_bytes().iter().all(|byte| (b'!'..=b'~').contains(byte));
    if value.is_empty() || value.len() > MAX_KEY_BYTES || !visible {
        return Err(refused("is not 1 to 255 visible ASCII characters"));
    }
    value.to_str().map_err(|_| refused("is not 1 to 255 visible ASCII characters"))
}

/// Who asks, for whom, what for, and under which key, in one hash. Each part is preceded by its length.
fn name(caller: &Caller, parts: &Parts, key: &str) -> String {
    let [kind, id, act_as] = caller.identity(&parts.headers);
    let mut hash = Sha256::new();
    for part in [kind, id, act_as, parts.method.as_str(), parts.uri.path(), key] {
        hash.update((part.len() as u64).to_be_bytes());
        hash.update(part);
    }
    hex(&hash.finalize())
}

fn client_id(name: &str) -> Result<ClientId, Rejection> {
    ClientId::new(format!("key:{name}")).map_err(|problem| Rejection::invalid("Idempotency-Key", problem))
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

fn away(error: &parlance_broker::BrokerError) -> Problem {
    tracing::warn!(%error, "failed to claim an idempotency key");
    Code::Unavailable.into()
}
