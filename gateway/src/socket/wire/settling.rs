//! Whether a client still waits for something of what it has sent: so that its transport can be closed in between.

use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use super::{Transport, Wire};

/// How often it is looked. What the engine has read ahead becomes a command in less.
const LOOK: Duration = Duration::from_millis(20);

/// Something that a client has sent and that is not answered yet; it is once this is dropped.
pub struct Owed(Arc<Wire>);

impl Owed {
    /// Counts it.
    pub fn by(wire: &Arc<Wire>) -> Self {
        wire.owed.fetch_add(1, Ordering::AcqRel);
        Self(Arc::clone(wire))
    }
}

impl Drop for Owed {
    fn drop(&mut self) {
        self.0.owed.fetch_sub(1, Ordering::AcqRel);
    }
}

impl Wire {
    /// Whether its client has to poll for what is sent to it.
    pub fn is_polling(&self) -> bool {
        matches!(self.transport(), Transport::Polling | Transport::Upgrading)
    }

    /// Waits until everything that the client has sent is answered, and everything for it has left; on polling also until a GET
    /// waits, which can be told the end. Or until the client is gone. Only sure to come to an end when the client is
    /// [muted](Wire::mute) and reads.
    pub async fn settled(&self) {
        loop {
            tokio::time::sleep(LOOK).await;
            let listens = !self.is_polling() || self.polls.load(Ordering::Relaxed) > 0;
            let is_settled = self.owed.load(Ordering::Acquire) == 0 && self.outstanding() == 0 && listens;
            if is_settled || self.closed() || self.killed().is_some() {
                return;
            }
        }
    }
}
