//! The form that a file comes in: read as it arrives, within its deadlines, and stored and noted when it has come whole.

use std::{sync::Arc, time::Duration};

use axum::{
    body::Body as AxumBody,
    extract::{
        Multipart,
        multipart::{Field, MultipartError},
    },
    http::StatusCode,
};
use futures_util::TryStreamExt;
use parlance_domain::{
    id::ConversationId,
    rejection::{Code, Rejection},
    storable,
    upload::Upload,
    user_event::UserEvent,
};
use tokio::sync::oneshot;

use crate::{
    app::App,
    command::Actor,
    rest::problem::Problem,
    uploads::{Incoming, NewUpload, Slot},
};

/// How long the next bytes of a file may take to arrive.
const IDLE: Duration = Duration::from_secs(30);
/// How long the rest of a refused file is read.
const DISCARD: Duration = Duration::from_secs(5);
/// The longest name of a file, in bytes.
const MAX_NAME_BYTES: usize = 255;

/// What a field of the form is to which nobody gave a meaning.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in crate::rest) enum Unknown {
    /// A mistake.
    Refused,
    /// Of no interest.
    Ignored,
}

/// Takes the form in.
pub(super) async fn receive(
    app: &App,
    actor: &Actor,
    slot: Slot,
    unknown: Unknown,
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
                let incoming = take_in(app, Arc::new(slot), new, field).await?;
                return keep(app, incoming).await;
            }
            _ if unknown == Unknown::Ignored => {}
            name => {
                let name: String = name.unwrap_or_default().chars().take(64).collect();
                return Err(Rejection::invalid(&name, "is not a field of this request").into());
            }
        }
    }
}

/// Reads on for a moment, so that the client has written its request and can read why it was refused.
pub(super) async fn discard(mut form: Multipart) {
    let read = async { while let Ok(Some(_)) = form.next_field().await {} };
    // What takes longer is cut off.
    let _ = tokio::time::timeout(DISCARD, read).await;
}

/// The same for a request of which nothing was read.
pub(in crate::rest) async fn throw_away(body: AxumBody) {
    let mut bytes = body.into_data_stream();
    let read = async { while let Ok(Some(_)) = bytes.try_next().await {} };
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
    app.membership.authorize(actor.asker()?, &id).await?;
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

async fn take_in(
    app: &App,
    slot: Arc<Slot>,
    new: NewUpload,
    mut field: Field<'_>,
) -> Result<Incoming, Problem> {
    let mut incoming = app.uploads.begin(app, slot, new)?;
    while let Some(bytes) = chunk(&mut field).await? {
        incoming.write(bytes).await?;
    }
    Ok(incoming)
}

/// Stores and notes a file that has come whole, to the end even when its sender goes away now: a file that is stored
/// and not noted would stay for ever.
pub(in crate::rest) async fn keep(app: &App, incoming: Incoming) -> Result<Upload, Problem> {
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
