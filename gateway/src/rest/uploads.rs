//! `/v1/uploads`: files, sent as a form and streamed into the store; read by their sender, by the participants of the
//! conversation that they were sent for, and by backends.

mod form;
mod serve;

use axum::{
    Json,
    body::Body as AxumBody,
    extract::{DefaultBodyLimit, FromRequest, FromRequestParts, Multipart, Request, State},
    http::{HeaderMap, StatusCode, header, request::Parts},
    response::{IntoResponse, Response},
};
use http_body_util::Limited;
use object_store::{GetOptions, GetRange};
use parlance_domain::{
    id::UploadId,
    rejection::{Code, Rejection},
    upload::Upload,
};
use utoipa_axum::{router::OpenApiRouter, routes};

use super::{caller::Caller, limit::counted, problem::Problem, query::Query, schema};
use crate::{app::App, auth::OwnTokens, command::Actor, uploads::UploadError};
pub(super) use form::{Unknown, keep, throw_away};
use form::{discard, receive};
use serve::{part, serve};

/// What may stand around a file in its form, in bytes.
const MAX_AROUND_BYTES: u64 = 64 * 1024;

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
    let upload = take_in(&app, &actor, Unknown::Refused, request).await?;
    Ok((StatusCode::CREATED, Json(upload.view())))
}

/// Takes a file in that stands in a form.
///
/// # Errors
/// Why it was not stored; what was read of the form is gone.
pub(super) async fn take_in(
    app: &App,
    actor: &Actor,
    unknown: Unknown,
    mut request: Request,
) -> Result<Upload, Problem> {
    let owner = actor.profile()?;
    let slot = match app.uploads.slot(&owner.id) {
        Ok(slot) => slot,
        Err(error) => {
            throw_away(request.into_body()).await;
            return Err(error.into());
        }
    };
    DefaultBodyLimit::disable().apply(&mut request);
    let total =
        request.headers().get(header::CONTENT_LENGTH).and_then(|value| value.to_str().ok()?.parse().ok());
    // What stands between the fields is kept until it ends: it may not be endless. The rest of a file that is too large
    // is read for a while, see [`discard`].
    let most = usize::try_from(app.uploads.max_bytes().saturating_mul(2).saturating_add(MAX_AROUND_BYTES));
    let request = request.map(|body| AxumBody::new(Limited::new(body, most.unwrap_or(usize::MAX))));
    let mut form = Multipart::from_request(request, app).await.map_err(|_| Problem::NOT_A_FORM)?;
    match receive(app, actor, slot, unknown, total, &mut form).await {
        Ok(upload) => Ok(upload),
        Err(problem) => {
            discard(form).await;
            Err(problem)
        }
    }
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
    query.fields()?;
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
    let asker = actor.asker()?;
    if *asker.user != upload.owner {
        let conversation = upload.conversation.as_ref().ok_or_else(unknown)?;
        app.membership.authorize(asker, conversation).await.map_err(|rejection| match rejection.code {
            Code::NotAParticipant => unknown(),
            _ => rejection,
        })?;
    }
    Ok((upload, place))
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
        let caller = app.identify(&token, &OwnTokens::default()).await.map(Caller::User);
        counted(app, parts, caller).map(Self)
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
