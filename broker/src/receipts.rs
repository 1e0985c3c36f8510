//! Handing moved cursors to the worker, and to those who are there.

pub mod told;

use parlance_domain::{entry::Header, id::ConversationId};

use crate::{
    append::Bounds,
    broker::Broker,
    error::BrokerError,
    script::{Script, words},
};

/// Appends to the receipts streams.
#[derive(Debug, Clone)]
pub struct ReceiptLog {
    broker: Broker,
    script: Script,
    told: Script,
    bounds: Bounds,
}

/// What became of the cursors.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Receipted {
    /// They are in the stream and announced.
    Now,
    /// The stream is full.
    Overloaded,
}

impl ReceiptLog {
    /// A log that lets up to `bounds` wait in each partition's stream.
    pub fn new(broker: Broker, bounds: Bounds) -> Self {
        let script = Script::new("receipts", include_str!("../lua/receipts.lua"));
        let told = Script::new("receipts_told", include_str!("../lua/receipts_told.lua"));
        Self { broker, script, told, bounds }
    }

    /// Puts cursors in the stream and announces them. `body` is a JSON list of
    /// [`parlance_domain::receipt::Cursor`].
    ///
    /// # Errors
    /// When Redis is away. To repeat it does no harm: cursors only move forward.
    pub async fn push(
        &self,
        id: &ConversationId,
        header: &Header,
        body: &str,
    ) -> Result<Receipted, BrokerError> {
        let keys = self.broker.keys();
        let partition = keys.partitions().of(id.as_str());
        let names = vec![keys.receipts(partition), keys.receipts_size(partition)];
        let arguments = vec![
            keys.channel(id),
            id.as_str().to_owned(),
            header.to_string(),
            body.to_owned(),
            self.bounds.entries.to_string(),
            self.bounds.bytes.to_string(),
        ];
        let answer = words(self.script.run(self.broker.client(), names, arguments).await?)?;
        match answer.first().map(String::as_str) {
            Some("ok") => Ok(Receipted::Now),
            Some("overloaded") => Ok(Receipted::Overloaded),
            _ => Err(BrokerError::Unexpected(answer.join(" "))),
        }
    }
}
