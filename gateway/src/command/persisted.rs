//! Waiting until Postgres has what waits in the ingest stream: for what Redis may not know rightly, and Postgres not yet.

use std::time::Duration;

use parlance_broker::BrokerError;
use parlance_chassis::backoff::Backoff;
use parlance_domain::{
    id::ConversationId,
    rejection::{Code, Rejection},
};

use super::failed;
use crate::app::App;

/// How long somebody waits.
const PATIENCE: Duration = Duration::from_secs(2);

/// Waits until everything that was appended before is in Postgres, or parked.
///
/// # Errors
/// `unavailable` when it is not in time, or when Redis is away.
pub(super) async fn wait(app: &App, conversation: &ConversationId) -> Result<(), Rejection> {
    match tokio::time::timeout(PATIENCE, until_persisted(app, conversation)).await {
        Ok(outcome) => outcome.map_err(|error| failed("read the ingest stream", &error)),
        Err(_) => Err(Code::Unavailable.into()),
    }
}

async fn until_persisted(app: &App, conversation: &ConversationId) -> Result<(), BrokerError> {
    let Some(mark) = app.broker.ingest_tail(conversation).await? else {
        return Ok(());
    };
    let mut backoff = Backoff::new(Duration::from_millis(10), Duration::from_millis(200));
    while !app.broker.is_persisted(conversation, &mark).await? {
        tokio::time::sleep(backoff.next_delay()).await;
    }
    Ok(())
}
