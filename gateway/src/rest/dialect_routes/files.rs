//! The files that stand in a body as data URLs: stored as if they had been uploaded, before the message that they belong
//! to is sent. If it is not, they go again.

use std::sync::Arc;

use parlance_domain::{
    command::Command,
    id::{ConversationId, UserId},
    rejection::{Code, Rejection},
    upload::Upload,
};
use serde_json::{Map, Value};
use tokio::sync::oneshot;

use super::{asked::Asked, data_url};
use crate::{
    app::App,
    command::{self, Actor},
    dialect::{Taken, put_back},
    rest::{problem::Problem, uploads},
    uploads::{NewUpload, Slot},
};

/// As many as a message can have attachments.
const MOST: usize = 20;
/// What such a file is called: nobody says it.
const NAME: &str = "file";

/// Stores the files, and carries out the command in whose fields they then stand, if the command without them may be
/// sent. It goes on to the end even when nobody waits any more, because a file that is stored and belongs to nothing
/// would stay for ever.
pub(super) async fn with_files(
    asked: Asked,
    slot: Arc<Slot>,
    without_files: &Command,
    mut body: Value,
    taken: Vec<Taken>,
) -> Result<(Value, Asked), Problem> {
    if taken.len() > MOST {
        return Err(Rejection::with(Code::InvalidPayload, format!("there are more than {MOST} files")).into());
    }
    let conversation = conversation(&asked, without_files).await?;
    let (sender, done) = oneshot::channel();
    let lifecycle = asked.app.lifecycle.clone();
    lifecycle.spawn_request("message with files", async move {
        let mut stored = Vec::with_capacity(taken.len());
        let outcome = async {
            for one in &taken {
                let upload = store(&asked, &conversation, &slot, one).await?;
                put_back(&mut body, one, view(&upload));
                stored.push(upload);
            }
            let command = asked.decode(body)?.command?;
            Ok(command::call(&asked.app, &asked.actor, command).await?)
        };
        let outcome: Result<Value, Problem> = outcome.await;
        if outcome.is_err() {
            forget(&asked.app, &stored).await;
        }
        // Who asked may have gone.
        let _ = sender.send(outcome.map(|reply| (reply, asked)));
    });
    done.await.map_err(|_| Code::Unavailable)?
}

/// Where the message is to go, if it could be sent as far as one can tell without its files.
async fn conversation(asked: &Asked, without_files: &Command) -> Result<ConversationId, Problem> {
    match without_files {
        Command::Send(send) => {
            asked.app.membership.authorize(asked.actor.asker()?, &send.conversation).await?;
            Ok(send.conversation.clone())
        }
        _ => Err(Code::Internal.into()),
    }
}

async fn store(
    asked: &Asked,
    conversation: &ConversationId,
    slot: &Arc<Slot>,
    taken: &Taken,
) -> Result<Upload, Problem> {
    let wrong = || Rejection::invalid(&taken.place, "is no data URL with base64");
    let payload = data_url::payload(&taken.text).ok_or_else(wrong)?;
    let new = NewUpload {
        owner: owner(&asked.actor)?,
        conversation: Some(conversation.clone()),
        name: NAME.to_owned(),
        total: u64::try_from(payload.len() / 4 * 3).ok(),
    };
    let mut incoming = asked.app.uploads.begin(&asked.app, Arc::clone(slot), new)?;
    for piece in data_url::pieces(payload) {
        incoming.write(piece.ok_or_else(wrong)?).await?;
    }
    uploads::keep(&asked.app, incoming).await
}

fn owner(actor: &Actor) -> Result<UserId, Rejection> {
    Ok(actor.profile()?.id.clone())
}

/// What stands for a file in the message.
fn view(upload: &Upload) -> Map<String, Value> {
    let view = upload.view();
    let shown = ["id", "url", "contentType", "size", "createdAt"];
    let fields = shown.into_iter().map(|name| (name.to_owned(), view.get(name).cloned().unwrap_or_default()));
    fields.collect()
}

async fn forget(app: &App, stored: &[Upload]) {
    for upload in stored {
        let id = upload.id;
        if let Err(error) = app.uploads.remove(&app.uploads.path(id)).await {
            tracing::warn!(%error, upload = %id, "failed to remove a file whose message was not sent");
            continue;
        }
        if let Err(error) = app.store.delete_upload(id).await {
            tracing::warn!(%error, upload = %id, "failed to forget a file whose message was not sent");
        }
    }
}
