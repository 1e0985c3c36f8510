//! `/v1/uploads`: files, sent as a form and streamed into the store; read by their sender, by the participants of the
//! conversation that they were sent for, and by backends.

use std::{ops::Range, time::Duration};

use axum::{
    Json,
    body::Body as AxumBody,
    extract::{
        DefaultBodyLimit, FromRequest, FromRequestParts, Multipart, Request, State,
        multipart::{Field, MultipartError},
    },
    http::{HeaderMap, HeaderValue, StatusCode, header, request::Parts},
    response::{IntoResponse, Response},
};
use futures_util::TryStreamExt;
use http_body_util::Limited;
use object_store::{GetOptions, GetRange, GetResult};
use parlance_domain::{
    id::{ConversationId, UploadId},
    rejection::{Code, Rejection},
    storable,
    upload::Upload,
    user_event::UserEvent,
};
use tokio::sync::oneshot;
use utoipa_axum::{router::OpenApiRouter, routes};

use super::{caller::Caller, problem::Problem, query::Query, schema};
use crate::{
    app::App,
    command::Actor,
    uploads::{Incoming, NewUpload, Slot, UploadError, is_shown_inline},
};

/// How long the next bytes of a file may take to arrive.
const IDLE: Duration = Duration::from_secs(30);
/// How long the rest of a refused file is read.
const DISCARD: Duration = Duration::from_secs(5);
/// What may stand around a file in its form, in bytes.
const MAX_AROUND_BYTES: u64 = 64 * 1024;
/// The longest name of a file, in bytes.
const MAX_NAME_BYTES: usize = 255;

pub(super) fn routes() -> OpenApiRouter<App> {
    OpenApiRouter::new()
        .routes(routes!(upload))
        // Bounded by the bytes of the file, as they come.
        .layer(DefaultBodyLimit::disable())
        .routes(routes!(read, remove))
}

/// Upload a file
///
/// A form (`multipart/form-data`) with the field `file`, and before it, if participants of a conversation shall read the
/// file, `conversation`. What the file is, is found out from its first bytes. All sockets of the sender are told how far
/// it has come (`upload:progress`, at most four times a second) and that it is stored (`upload:completed`).
#[utoipa::path(
    post,
    path = "/v1/uploads",
    tag = "files",
    operation_id = "upload",
    request_body(content = schema::FileForm, content_type = "multipart/form-data"),
    responses((status = 201, description = "The file is stored.", body = schema::Upload), schema::NotFound),
)]
async fn upload(
    State(app): State<App>,
    caller: Caller,
    request: Request,
) -> Result<impl IntoResponse, Problem> {
    let actor = caller.actor(&app).await?;
    let owner = actor.profile()?;
    let slot = match app.uploads.slot(&owner.id) {
        Ok(slot) => slot,
        Err(error) => {
            throw_away(request.into_body()).await;
            return Err(error.into());
        }
    };
    let total =
        request.headers().get(header::CONTENT_LENGTH).and_then(|value| value.to_str().ok()?.parse().ok());
    // What stands between the fields is kept until it ends: it may not be endless. The rest of a file that is too large
    // is read for a while, see [`discard`].
    let most = usize::try_from(app.uploads.max_bytes().saturating_mul(2).saturating_add(MAX_AROUND_BYTES));
    let request = request.map(|body| AxumBody::new(Limited::new(body, most.unwrap_or(usize::MAX))));
    let mut form = Multipart::from_request(request, &app).await.map_err(|_| Problem::NOT_A_FORM)?;
    match receive(&app, &actor, slot, total, &mut form).await {
        Ok(upload) => Ok((StatusCode::CREATED, Json(upload.view()))),
        Err(problem) => {
            discard(form).await;
            Err(problem)
        }
    }
}

/// Takes the form in.
async fn receive(
    app: &App,
    actor: &Actor,
    slot: Slot,
    total: Option<u64>,
    form: &mut Multipart,
) -> Result<Upload, Problem> {
    let mut conversation = None;
    loop {
        let Some(field) = next(form).await? else {
            return Err(Rejection::invalid("file", "is missing").into());
        };
        match field.name() {
            Some("conversation") if conversation.is_none() => {
                conversation = Some(conversation_of(app, actor, field).await?);
            }
            Some("file") => {
                let name = file_name(&field)?;
                let new = NewUpload { owner: actor.profile()?.id.clone(), conversation, name, total };
                let incoming = take_in(app, slot, new, field).await?;
                return keep(app, incoming).await;
            }
            name => {
                let name: String = name.unwrap_or_default().chars().take(64).collect();
                return Err(Rejection::invalid(&name, "is not a field of this request").into());
            }
        }
    }
}

/// The same for a request of which nothing was read.
async fn throw_away(body: AxumBody) {
    let mut bytes = body.into_data_stream();
    let read = async { while let Ok(Some(_)) = bytes.try_next().await {} };
    let _ = tokio::time::timeout(DISCARD, read).await;
}

/// Reads on for a moment, so that the client has written its request and can read why it was refused.
async fn discard(mut form: Multipart) {
    let read = async { while let Ok(Some(_)) = form.next_field().await {} };
    // What takes longer is cut off.
    let _ = tokio::time::timeout(DISCARD, read).await;
}

async fn next(form: &mut Multipart) -> Result<Option<Field<'_>>, Problem> {
    match tokio::time::timeout(IDLE, form.next_field()).await {
        Err(_) => Err(Problem::TOO_SLOW),
        Ok(field) => field.map_err(|error| broken(&error)),
    }
}

fn broken(error: &MultipartError) -> Problem {
    if error.status() == StatusCode::PAYLOAD_TOO_LARGE {
        return Problem::TOO_LARGE.because("the form is much larger than a file may be".to_owned());
    }
    Rejection::with(Code::InvalidPayload, format!("the form is broken: {}", error.body_text())).into()
}

/// The conversation that the file is for, of which its sender must be.
async fn conversation_of(app: &App, actor: &Actor, field: Field<'_>) -> Result<ConversationId, Problem> {
    const MOST: usize = 512;
    let mut text = Vec::new();
    let mut field = field;
    while let Some(bytes) = chunk(&mut field).await? {
        text.extend_from_slice(&bytes);
        if text.len() > MOST {
            return Err(Rejection::invalid("conversation", "is longer than 128 bytes").into());
        }
    }
    let text = String::from_utf8(text).map_err(|_| Rejection::invalid("conversation", "is no UTF-8"))?;
    let id = ConversationId::new(text).map_err(|problem| Rejection::invalid("conversation", problem))?;
    app.membership.authorize(&actor.profile()?.id, &id).await?;
    Ok(id)
}

async fn chunk(field: &mut Field<'_>) -> Result<Option<bytes::Bytes>, Problem> {
    match tokio::time::timeout(IDLE, field.chunk()).await {
        Err(_) => Err(Problem::TOO_SLOW),
        Ok(chunk) => chunk.map_err(|error| broken(&error)),
    }
}

/// What the sender calls the file, without the path that old browsers put before it.
fn file_name(field: &Field<'_>) -> Result<String, Rejection> {
    let name = field.file_name().unwrap_or("file");
    let name = name.rsplit(['/', '\\']).next().unwrap_or_default();
    if name.is_empty() || name.len() > MAX_NAME_BYTES {
        return Err(Rejection::invalid("file", "has no name of 1 to 255 bytes"));
    }
    if !storable::is_text(name) || name.chars().any(char::is_control) {
        return Err(Rejection::invalid("file", "has a control character in its name"));
    }
    Ok(name.to_owned())
}

async fn take_in(app: &App, slot: Slot, new: NewUpload, mut field: Field<'_>) -> Result<Incoming, Problem> {
    let mut incoming = app.uploads.begin(app, slot, new)?;
    while let Some(bytes) = chunk(&mut field).await? {
        incoming.write(bytes).await?;
    }
    Ok(incoming)
}

/// Stores and notes a file that has come whole, to the end even when its sender goes away now: a file that is stored
/// and not noted would stay for ever.
async fn keep(app: &App, incoming: Incoming) -> Result<Upload, Problem> {
    let (sender, kept) = oneshot::channel();
    let task = app.clone();
    app.lifecycle.spawn_request("upload", async move {
        let stored = incoming.finish().await.map_err(Problem::from);
        let outcome = match stored {
            Ok(upload) => note(&task, &upload).await.map(|()| upload),
            Err(problem) => Err(problem),
        };
        // Who asked may have gone.
        let _ = sender.send(outcome);
    });
    kept.await.map_err(|_| Code::Unavailable)?
}

/// Notes a stored file, and tells its sender. One that cannot be noted is removed again.
async fn note(app: &App, upload: &Upload) -> Result<(), Problem> {
    let path = app.uploads.path(upload.id);
    if let Err(error) = app.store.insert_upload(upload, &path).await {
        tracing::warn!(%error, upload = %upload.id, "failed to note an upload");
        if let Err(error) = app.uploads.remove(&path).await {
            tracing::warn!(%error, upload = %upload.id, "failed to remove a file that could not be noted");
        }
        return Err(Code::Unavailable.into());
    }
    let event = UserEvent::UploadCompleted(Box::new(upload.clone()));
    if let Err(error) = app.broker.publish_to_user(&upload.owner, &event).await {
        tracing::debug!(%error, upload = %upload.id, "failed to tell that an upload is stored");
    }
    Ok(())
}

/// Read a file
///
/// With a service key, as its sender, or as a participant of its conversation. A token can also stand in the query
/// parameter `token`, because pages cannot give pictures a header. Pictures, sound and films may be shown in their place
/// (`inline`); everything else is only saved. A single `Range` is answered with that part.
#[utoipa::path(
    get,
    path = "/v1/uploads/{upload}",
    tag = "files",
    operation_id = "readUpload",
    params(schema::OfUpload, schema::TokenQuery),
    responses(
        (status = 200, description = "The file.", content_type = "*/*", body = [u8], headers(("ETag" = String))),
        (status = 206, description = "The part of the file.", content_type = "*/*", body = [u8]),
        (status = 416, description = "There is no such part."),
        schema::NotFound,
    ),
)]
async fn read(
    State(app): State<App>,
    Reader(caller): Reader,
    path: UploadPath,
    query: Query,
    headers: HeaderMap,
) -> Result<Response, Problem> {
    query.fields(&["token"])?;
    let (upload, place) = found(&app, &caller.actor(&app).await?, &path).await?;
    let tag = format!("\"{}\"", upload.id);
    if headers.get(header::IF_NONE_MATCH).is_some_and(|known| known.as_bytes() == tag.as_bytes()) {
        return Ok((StatusCode::NOT_MODIFIED, [(header::ETAG, tag)]).into_response());
    }
    let range = headers.get(header::RANGE).and_then(|range| part(range.to_str().ok()?));
    let options = GetOptions { range: range.map(|range| range.of(upload.size)), ..GetOptions::default() };
    let wanted = match &options.range {
        Some(GetRange::Bounded(range)) if range.start >= upload.size || range.is_empty() => {
            let all = format!("bytes */{}", upload.size);
            return Ok((StatusCode::RANGE_NOT_SATISFIABLE, [(header::CONTENT_RANGE, all)]).into_response());
        }
        Some(GetRange::Bounded(range)) => Some(range.clone()),
        _ => None,
    };
    let stored = app.uploads.read(&place, options).await?;
    Ok(serve(&upload, &tag, wanted.as_ref(), stored))
}

/// Remove a file
///
/// With a service key, or as its sender.
#[utoipa::path(
    delete,
    path = "/v1/uploads/{upload}",
    tag = "files",
    operation_id = "removeUpload",
    params(schema::OfUpload),
    responses((status = 204, description = "The file is gone."), schema::NotFound),
)]
async fn remove(State(app): State<App>, caller: Caller, path: UploadPath) -> Result<StatusCode, Problem> {
    let actor = caller.actor(&app).await?;
    let (upload, place) = found(&app, &actor, &path).await?;
    if !actor.service && actor.profile()?.id != upload.owner {
        return Err(Rejection::with(Code::Forbidden, "only its sender can remove a file").into());
    }
    app.uploads.remove(&place).await?;
    app.store.delete_upload(upload.id).await.map_err(|error| {
        tracing::warn!(%error, upload = %upload.id, "failed to forget an upload");
        Problem::from(Code::Unavailable)
    })?;
    Ok(StatusCode::NO_CONTENT)
}

/// A file that the actor may read. Whoever may not is not told that there is one.
async fn found(app: &App, actor: &Actor, path: &UploadPath) -> Result<(Upload, String), Problem> {
    let unknown = || Rejection::with(Code::NotFound, "there is no such file");
    let found = app.store.upload(path.0).await.map_err(|error| {
        tracing::warn!(%error, "failed to look an upload up");
        Problem::from(Code::Unavailable)
    })?;
    let (upload, place) = found.ok_or_else(unknown)?;
    if actor.service {
        return Ok((upload, place));
    }
    let user = &actor.profile()?.id;
    if *user != upload.owner {
        let conversation = upload.conversation.as_ref().ok_or_else(unknown)?;
        app.membership.authorize(user, conversation).await.map_err(|rejection| match rejection.code {
            Code::NotAParticipant => unknown(),
            _ => rejection,
        })?;
    }
    Ok((upload, place))
}

/// The answer with a file or a part of it: nothing of it can run, wherever it is opened.
fn serve(upload: &Upload, tag: &str, part: Option<&Range<u64>>, stored: GetResult) -> Response {
    let disposition = if is_shown_inline(&upload.content_type) { "inline" } else { "attachment" };
    let encoded = url::form_urlencoded::byte_serialize(upload.name.as_bytes()).collect::<String>();
    let disposition =
        format!("{disposition}; filename*=UTF-8''{}", encoded.replace('+', "%20").replace('*', "%2A"));
    let length = part.map_or(upload.size, |part| part.end - part.start);
    let mut headers = HeaderMap::new();
    let mut set = |name, value: &str| {
        if let Ok(value) = HeaderValue::from_str(value) {
            headers.insert(name, value);
        }
    };
    set(header::CONTENT_TYPE, &upload.content_type);
    set(header::CONTENT_LENGTH, &length.to_string());
    set(header::CONTENT_DISPOSITION, &disposition);
    set(header::ETAG, tag);
    set(header::ACCEPT_RANGES, "bytes");
    set(header::CACHE_CONTROL, "private, max-age=86400, immutable");
    set(header::X_CONTENT_TYPE_OPTIONS, "nosniff");
    set(header::CONTENT_SECURITY_POLICY, "default-src 'none'; sandbox");
    if let Some(part) = part {
        let range = format!("bytes {}-{}/{}", part.start, part.end - 1, upload.size);
        set(header::CONTENT_RANGE, &range);
    }
    let status = if part.is_some() { StatusCode::PARTIAL_CONTENT } else { StatusCode::OK };
    let body = AxumBody::from_stream(stored.into_stream().map_err(std::io::Error::other));
    (status, headers, body).into_response()
}

/// The part that a `Range` header names; several parts, and what cannot be read, mean the whole (RFC 9110, 14.2).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Part {
    From(u64),
    FromTo(u64, u64),
    Last(u64),
}

fn part(header: &str) -> Option<Part> {
    let (first, last) = header.strip_prefix("bytes=")?.trim().split_once('-')?;
    match (first, last) {
        ("", last) => Some(Part::Last(last.parse().ok()?)),
        (first, "") => Some(Part::From(first.parse().ok()?)),
        (first, last) => {
            let (first, last) = (first.parse().ok()?, last.parse().ok()?);
            (first <= last).then_some(Part::FromTo(first, last))
        }
    }
}

impl Part {
    fn of(self, size: u64) -> GetRange {
        GetRange::Bounded(match self {
            Part::From(first) => first..size.max(first),
            Part::FromTo(first, last) => first..last.saturating_add(1).min(size).max(first),
            Part::Last(count) => size.saturating_sub(count)..size,
        })
    }
}

/// Who reads: as in every request, or by a token in the query.
struct Reader(Caller);

impl FromRequestParts<App> for Reader {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, app: &App) -> Result<Self, Problem> {
        let query = parts.uri.query().unwrap_or_default().as_bytes();
        let token = url::form_urlencoded::parse(query).find(|(name, _)| name == "token");
        let Some((_, token)) = token.filter(|_| !parts.headers.contains_key(header::AUTHORIZATION)) else {
            return Ok(Self(Caller::from_request_parts(parts, app).await?));
        };
        Ok(Self(Caller::User(app.auth.verify(&token, &app.clock)?.user)))
    }
}

/// The file that a path names.
#[derive(Debug)]
struct UploadPath(UploadId);

impl FromRequestParts<App> for UploadPath {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, app: &App) -> Result<Self, Problem> {
        let axum::extract::Path(id) = axum::extract::Path::<String>::from_request_parts(parts, app)
            .await
            .map_err(|_| Rejection::invalid("the path", "is no UTF-8 when it is decoded"))?;
        Ok(Self(id.parse().map_err(|problem| Rejection::invalid("upload", problem))?))
    }
}

impl From<UploadError> for Problem {
    fn from(error: UploadError) -> Self {
        let text = error.to_string();
        match error {
            UploadError::Off => Rejection::with(Code::NotFound, text).into(),
            UploadError::TooMany => Rejection::with(Code::Overloaded, text).into(),
            UploadError::Empty => Rejection::invalid("file", "is empty").into(),
            UploadError::TooLarge(_) => Problem::TOO_LARGE.because(text),
            UploadError::Type(_) => Problem::FILE_TYPE.because(text),
            UploadError::Store(object_store::Error::NotFound { .. }) => {
                Rejection::with(Code::NotFound, "there is no such file").into()
            }
            UploadError::Store(_) | UploadError::Slow => {
                tracing::warn!(error = text, "the store of uploads failed");
                Code::Unavailable.into()
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_range_names_a_part() {
        for (header, expected) in [
            ("bytes=0-9", Some(0..10)),
            ("bytes=90-", Some(90..100)),
            ("bytes=-10", Some(90..100)),
            ("bytes=95-200", Some(95..100)),
            ("bytes=9-0", None),
            ("bytes=0-1,5-6", None),
            ("items=0-1", None),
        ] {
            let found = part(header).map(|part| part.of(100));
            assert_eq!(found, expected.map(GetRange::Bounded), "{header}");
        }
    }
}
