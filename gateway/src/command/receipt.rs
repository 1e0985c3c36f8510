//! `receipt.delivered` and `receipt.read`: moves one of the user's cursors. The answer comes when the cursor is in
//! the stream that the worker persists, which is after the interval over which cursors are gathered.

use std::collections::HashMap;

use parlance_domain::{
    command::{CommandName, Receipt},
    id::{ConversationId, MessageId},
    message::Place,
    receipt::{Covered, ReceiptKind, ReceiptTarget},
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
    let Target { conversation, seq, message, named } = target(app, actor, receipt).await?;
    let kind = receipt.kind;
    let counts = kind == ReceiptKind::Read && actor.asks_for(CommandName::ReceiptRead, "marked");
    Ok(Step { conversation, user, kind, seq, message, named, counts, origin: actor.origin() })
}

/// Which conversation, and how far.
struct Target {
    conversation: ConversationId,
    seq: Seq,
    /// The message at that place, when messages were named.
    message: Option<MessageId>,
    /// The messages that were named.
    named: Option<Vec<Covered>>,
}

impl Target {
    fn up_to(conversation: ConversationId, seq: Seq) -> Self {
        Self { conversation, seq, message: None, named: None }
    }
}

async fn target(app: &App, actor: &Actor, receipt: &Receipt) -> Result<Target, Rejection> {
    let conversation = || {
        let missing = || Rejection::invalid("conversation", "is missing");
        receipt.conversation.clone().ok_or_else(missing)
    };
    let target = match &receipt.target {
        ReceiptTarget::Seq(seq) => Target::up_to(conversation()?, *seq),
        ReceiptTarget::Messages(ids) => newest(app, ids, receipt.conversation.as_ref()).await?,
        // The place is known below.
        ReceiptTarget::Newest => Target::up_to(conversation()?, Seq(0)),
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
    if receipt.target == ReceiptTarget::Newest {
        return Ok(Target { seq: head, ..target });
    }
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
    let (conversation, seq, message) = (newest.conversation.clone(), newest.seq, Some(newest.id));
    let covered = |place: Place| Covered { id: place.id, seq: place.seq, sender: place.sender };
    let named: HashMap<MessageId, Covered> =
        places.into_iter().map(|place| (place.id, covered(place))).collect();
    Ok(Target { conversation, seq, message, named: Some(named.into_values().collect()) })
}
