//! Where messages are, whoever has them by now: Redis knows the new ones, Postgres the others.

use parlance_domain::{id::MessageId, message::Place, rejection::Rejection};

use super::failed;
use crate::app::App;

/// The places of those of the messages that there are.
pub(super) async fn of(app: &App, ids: &[MessageId]) -> Result<Vec<Place>, Rejection> {
    let mut places = app.broker.objects(ids).await.map_err(|error| failed("read objects", &error))?;
    let known: Vec<MessageId> = places.iter().map(|place| place.id).collect();
    let rest: Vec<MessageId> = ids.iter().copied().filter(|id| !known.contains(id)).collect();
    if !rest.is_empty() {
        let stored = app.store.places(&rest).await.map_err(|error| failed("read messages", &error))?;
        places.extend(stored);
    }
    Ok(places)
}
