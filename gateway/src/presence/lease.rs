//! The lease of this gateway: taken at the start, renewed while it runs, followed by another one when it was lost, and
//! left to run out at the end. What stands under it is the business of those who follow it with [`Lease::changed`].

use std::{convert::Infallible, time::Duration};

use parlance_broker::{
    Broker, BrokerError,
    lease::{LeaseId, Leases, Renewal},
    reconnections::Reconnections,
};
use parlance_chassis::{backoff::Backoff, lifecycle};
use tokio::{
    sync::watch,
    time::{Instant, sleep_until, timeout},
};

/// How many times a lease is renewed while it lasts.
const RENEWALS: u32 = 3;
/// The longest pause after Redis could not be told.
const PAUSE: Duration = Duration::from_millis(500);
/// How long the end of a lease may take.
const ENDING: Duration = Duration::from_secs(2);

/// What this gateway's registrations stand under; cheap to clone.
#[derive(Debug, Clone)]
pub struct Lease(watch::Receiver<Option<LeaseId>>);

impl Lease {
    /// The one that was taken last; none before the first. It may have been lost a moment ago.
    pub fn current(&self) -> Option<LeaseId> {
        self.0.borrow().clone()
    }

    /// Waits for one that this handle has not answered yet, the first one included: everything has to be registered
    /// under it. For ever once the gateway has ended. Cancel-safe.
    pub async fn changed(&mut self) -> LeaseId {
        loop {
            if self.0.changed().await.is_err() {
                return std::future::pending().await;
            }
            if let Some(lease) = &*self.0.borrow_and_update() {
                return lease.clone();
            }
        }
    }
}

/// How a lease is kept.
#[derive(Debug, Clone)]
pub struct Terms {
    /// What the gateway is called.
    pub gateway: String,
    /// How long a lease lasts when it is not renewed.
    pub ttl: Duration,
    /// How long it lasts after the end of the gateway.
    pub linger: Duration,
}

/// Takes a lease if Redis can be reached now, and keeps one until the hard stop.
pub async fn keep(broker: &Broker, terms: Terms, lifecycle: &lifecycle::Handle) -> Lease {
    let (current, lease) = watch::channel(None);
    let mut keeper = Keeper {
        leases: Leases::new(broker.clone()),
        reconnections: broker.reconnections(),
        backoff: Backoff::new(Duration::from_millis(50), PAUSE),
        terms,
        current,
        is_failing: false,
    };
    let due = keeper.step().await;
    let hard = lifecycle.hard();
    lifecycle.spawn_support("lease", async move {
        tokio::select! {
            () = hard.cancelled() => {}
            () = keeper.run(due) => {}
        }
        keeper.end().await;
        Ok::<(), Infallible>(())
    });
    Lease(lease)
}

struct Keeper {
    leases: Leases,
    reconnections: Reconnections,
    backoff: Backoff,
    terms: Terms,
    current: watch::Sender<Option<LeaseId>>,
    is_failing: bool,
}

impl Keeper {
    /// Renews, takes another one where that was lost, and so on for ever.
    async fn run(&mut self, mut due: Instant) {
        loop {
            tokio::select! {
                () = sleep_until(due) => {}
                // Redis may be another one, or have forgotten.
                () = self.reconnections.next() => {}
            }
            due = self.step().await;
        }
    }

    /// Renews the lease or takes one; when the next step is due.
    async fn step(&mut self) -> Instant {
        let begun = Instant::now();
        match self.renew_or_take().await {
            Ok(()) => {
                self.backoff.reset();
                self.is_failing = false;
                begun + self.terms.ttl / RENEWALS
            }
            Err(error) => {
                if !self.is_failing {
                    tracing::warn!(%error, "failed to keep this gateway's lease, trying again");
                }
                self.is_failing = true;
                Instant::now() + self.backoff.next_delay()
            }
        }
    }

    async fn renew_or_take(&mut self) -> Result<(), BrokerError> {
        let held = self.current.borrow().clone();
        if let Some(lease) = held {
            match self.leases.renew(&lease, self.terms.ttl).await? {
                Renewal::Held => return Ok(()),
                Renewal::Lost => tracing::warn!(lease = lease.as_str(), "this gateway's lease is lost"),
            }
        }
        let lease = LeaseId::new(&self.terms.gateway, rand::random());
        self.leases.take(&lease, self.terms.ttl).await?;
        tracing::info!(lease = lease.as_str(), "took a lease");
        self.current.send_replace(Some(lease));
        Ok(())
    }

    /// Nobody is removed: the clients of a gateway that ends are back on another one in a moment.
    async fn end(&self) {
        let Some(lease) = self.current.borrow().clone() else {
            return;
        };
        match timeout(ENDING, self.leases.end(&lease, self.terms.linger)).await {
            Ok(Ok(())) => tracing::debug!(lease = lease.as_str(), "this gateway's lease ends"),
            Ok(Err(error)) => tracing::warn!(%error, "failed to end this gateway's lease, which runs out"),
            Err(_elapsed) => tracing::warn!("ending this gateway's lease takes too long, it runs out"),
        }
    }
}
