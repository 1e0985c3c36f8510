//! How a gateway takes leave of its clients. Each of them loses its transport, never by a DISCONNECT packet, and so comes back by
//! itself, to another gateway. That is done in small groups: all at once they would be a storm for the others.
//!
//! The soft stop *announces* it: `/ready` fails, and everything goes on. After `drain.announce` the gateway is *closing*: nobody is
//! let in any more, polling sessions are closed, and WebSockets group after group. Polling sessions go first and together, because
//! they live on requests, and the listener cannot stay for some of them: a proxy that knows clients by their address would still
//! send it those who have moved already. Then the gateway is *deaf*: connections are refused, which every proxy understands.
//!
//! What else the end of a process is, and when it is cut short, is the lifecycle's business.

mod groups;

use std::{convert::Infallible, sync::Arc, time::Duration};

use futures_util::{StreamExt, future::join_all, stream::FuturesUnordered};
use parlance_chassis::lifecycle::{CancellationToken, Handle};
use rand::seq::SliceRandom;
use tokio::time::{Instant, sleep, sleep_until, timeout};

use crate::{
    config::DrainSection,
    metrics::DRAIN_REMAINING_CONNECTIONS,
    socket::wire::{KillReason, Wire, Wires},
};

/// How long a client's commands may take that came before its turn; later, their acknowledgements do not reach it there.
const LAST_WORDS: Duration = Duration::from_secs(2);
/// Over which time polling sessions are closed. Unmodified clients come back after half a second at the earliest.
const POLLING_SPREAD: Duration = Duration::from_millis(250);
/// How long the listener waits for polling sessions at the most. Those that take longer have a request that waits.
const POLLING: Duration = Duration::from_millis(500);
/// How often it is looked whether polling sessions are left, and told how many connections are.
const LOOK: Duration = Duration::from_millis(50);

/// How far the end has come; cheap to clone. The hard stop ends every stage.
#[derive(Clone, Debug)]
pub struct Stages {
    /// Nobody is let in any more, and transports are being closed.
    pub closing: CancellationToken,
    /// Connections are refused.
    pub deaf: CancellationToken,
}

impl Stages {
    /// Before the end.
    pub fn new(lifecycle: &Handle) -> Self {
        let hard = lifecycle.hard();
        Self { closing: hard.child_token(), deaf: hard.child_token() }
    }
}

/// Takes leave of these clients at the soft stop.
pub fn start(settings: DrainSection, wires: Arc<Wires>, stages: Stages, lifecycle: &Handle) {
    let (soft, hard) = (lifecycle.soft(), lifecycle.hard());
    let drain = Drain { settings, wires, stages };
    metrics::gauge!(DRAIN_REMAINING_CONNECTIONS.name).set(0.0);
    lifecycle.spawn("drain", async move {
        soft.cancelled().await;
        // At the hard stop the wires are closed by others.
        hard.run_until_cancelled(drain.run()).await;
        Ok::<(), Infallible>(())
    });
}

struct Drain {
    settings: DrainSection,
    wires: Arc<Wires>,
    stages: Stages,
}

impl Drain {
    async fn run(self) {
        let DrainSection { announce, spread } = self.settings;
        tracing::info!(connections = self.wires.len(), ?announce, ?spread, "draining");
        let leave = async {
            sleep(announce).await;
            self.wires.close_entrance();
            self.stages.closing.cancel();
            let (polling, others): (Vec<_>, Vec<_>) =
                self.wires.snapshot().into_iter().partition(|wire| wire.is_polling());
            let in_groups = async {
                self.turn_deaf().await;
                self.close_in_groups(others).await;
            };
            tokio::join!(self.close_polling(polling), in_groups);
            self.wires.emptied().await;
        };
        tokio::select! {
            () = leave => {}
            () = self.report() => {}
        }
        metrics::gauge!(DRAIN_REMAINING_CONNECTIONS.name).set(0.0);
    }

    async fn close_polling(&self, wires: Vec<Arc<Wire>>) {
        let spread = POLLING_SPREAD.min(self.settings.spread);
        join_all(wires.into_iter().map(async |wire| {
            sleep(spread.mul_f64(rand::random())).await;
            end(wire).await;
        }))
        .await;
    }

    async fn close_in_groups(&self, mut wires: Vec<Arc<Wire>>) {
        // Those of a room or of an address are not in one group.
        wires.shuffle(&mut rand::rng());
        let begun = Instant::now();
        let mut ending = FuturesUnordered::new();
        for group in groups::divide(wires.len(), self.settings.spread, rand::random) {
            let mut moment = std::pin::pin!(sleep_until(begun + group.at));
            loop {
                tokio::select! {
                    () = &mut moment => break,
                    Some(()) = ending.next() => {}
                }
            }
            ending.extend(wires.drain(..group.size.min(wires.len())).map(end));
        }
        while ending.next().await.is_some() {}
    }

    /// Refuses connections, as soon as no client is left that needs some.
    async fn turn_deaf(&self) {
        let none_is_left = async {
            while self.wires.has_polling() {
                sleep(LOOK).await;
            }
        };
        timeout(POLLING, none_is_left).await.ok();
        self.stages.deaf.cancel();
    }

    /// Tells how many are left, for ever.
    async fn report(&self) {
        loop {
            metrics::gauge!(DRAIN_REMAINING_CONNECTIONS.name).set(self.wires.len() as f64);
            sleep(LOOK).await;
        }
    }
}

/// Closes a transport. What came by it before is carried out and acknowledged first, unless that takes too long; what comes now is
/// not looked at, and sent again by clients that wait for acknowledgements.
async fn end(wire: Arc<Wire>) {
    wire.mute();
    if timeout(LAST_WORDS, wire.settled()).await.is_err() {
        tracing::debug!(?wire, "a client's last commands take too long");
    }
    wire.kill(KillReason::Drain);
}
