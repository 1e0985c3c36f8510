//! `receipt.delivered` and `receipt.read`: moves one of the user's cursors. The answer comes when the cursor is in
//! the stream that the worker persists, which is after the interval over which cursors are gathered.

use parlance_domain::{
    command::Receipt,
    id::{ConversationId, MessageId},
    receipt::ReceiptTarget,
    rejection::{Code, Rejection},
    version::Seq,
};

use super::{Actor, Answer, failed, place, receipts::Step};
use crate::app::App;

pub(super) async fn apply(app: &App, actor: &Actor, receipt: Receipt, answer: Answer) {
    match step(app, actor, &receipt).await {
        Ok(step) => app.receipts.advance(step, answer),
        Err(rejection) => answer(Err(rejection)),
    }
}

async fn step(app: &App, actor: &Actor, receipt: &Receipt) -> Result<Step, Rejection> {
    let user = actor.user_id()?.clone();
    let Target { conversation, seq, message } = target(app, actor, receipt).await?;
    Ok(Step { conversation, user, kind: receipt.kind, seq, message, origin: actor.origin() })
}

/// Which conversation, and how far.
struct Target {
    conversation: ConversationId,
    seq: Seq,
    /// The message at that place, when messages were named.
    message: Option<MessageId>,
}

async fn target(app: &App, actor: &Actor, receipt: &Receipt) -> Result<Target, Rejection> {
    let target = match (&receipt.target, &receipt.conversation) {
        (ReceiptTarget::Seq(seq), Some(conversation)) => {
            Target { conversation: conversation.clone(), seq: *seq, message: None }
        }
        (ReceiptTarget::Seq(_), None) => return Err(Rejection::invalid("conversation", "is missing")),
        (ReceiptTarget::Messages(ids), named) => newest(app, ids, named.as_ref()).await?,
    };
    app.membership.authorize(actor.asker()?, &target.conversation).await?;
    let head =
        app.broker.state(&target.conversation).await.map_err(|error| failed("read a state", &error))?;
    let head = match head {
        Some(state) => state.heads.seq,
        None => {
            let stored =
                app.store.heads(&target.conversation).await.map_err(|error| failed("read heads", &error))?;
            stored.unwrap_or_default().seq
        }
    };
    if target.seq > head {
        return Err(Rejection::invalid("seq", "is beyond the newest message"));
    }
    Ok(target)
}

/// The place of the newest of some messages, which must be of one conversation.
async fn newest(app: &App, ids: &[MessageId], named: Option<&ConversationId>) -> Result<Target, Rejection> {
    let places = place::of(app, ids).await?;
    let unknown = || Rejection::with(Code::NotFound, "there is no such message");
    if ids.iter().any(|id| !places.iter().any(|place| place.id == *id)) {
        return Err(unknown());
    }
    let newest = places.iter().max_by_key(|place| place.seq).ok_or_else(unknown)?;
    if places.iter().any(|place| place.conversation != newest.conversation) {
        return Err(Rejection::invalid("messages", "are of more than one conversation"));
    }
    if named.is_some_and(|named| *named != newest.conversation) {
        return Err(unknown());
    }
    Ok(Target { conversation: newest.conversation.clone(), seq: newest.seq, message: Some(newest.id) })
}
