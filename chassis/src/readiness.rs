//! Whether this process should get traffic: a latch that holds as many checks as there are components.
//!
//! It cannot lie by omission. Without any check, with one that was never released, with one whose owner is
//! gone, and from the soft stop on, the answer is no. What makes a component ready is that component's business.

use std::borrow::Cow;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use serde::Serialize;
use tokio_util::sync::CancellationToken;

use crate::lifecycle::Handle;
use crate::metrics::{NOT_READY, READY};

/// What is said to be not ready when it is the process as a whole.
const LIFECYCLE: &str = "lifecycle";

/// The set of checks of one process; a cheap handle.
#[derive(Clone, Debug)]
pub struct Readiness {
    checks: Arc<Mutex<Vec<Entry>>>,
    soft: CancellationToken,
}

#[derive(Debug)]
struct Entry {
    id: u64,
    name: &'static str,
    state: State,
}

#[derive(Debug, PartialEq)]
enum State {
    Ready,
    NotReady(Cow<'static, str>),
    Gone,
}

/// The answer of `/ready`: `{"ready":true}`, or `{"ready":false,"not_ready":[{"name":…,"reason":…}]}`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Status {
    /// Whether traffic should come here.
    pub ready: bool,
    /// What stands against it.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub not_ready: Vec<Obstacle>,
}

/// One reason not to be ready.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Obstacle {
    /// The name of the check, or `lifecycle`.
    pub name: &'static str,
    /// The reason, in words for an operator.
    pub reason: Cow<'static, str>,
}

impl Readiness {
    /// An empty set, not ready until its first check is. Not ready again when `lifecycle` begins to stop.
    pub fn new(lifecycle: &Handle) -> Self {
        Self { checks: Arc::default(), soft: lifecycle.soft() }
    }

    /// Adds a check that is not ready until [`Check::ready`]. A name whose owner has gone is taken over.
    pub fn check(&self, name: &'static str) -> Check {
        let mut checks = self.lock();
        checks.retain(|entry| entry.name != name || entry.state != State::Gone);
        let id = checks.last().map_or(0, |entry| entry.id + 1);
        checks.push(Entry { id, name, state: State::NotReady("starting".into()) });
        Check { readiness: self.clone(), id, name }
    }

    /// What `/ready` answers now.
    pub fn status(&self) -> Status {
        let mut not_ready = Vec::new();
        if self.soft.is_cancelled() {
            not_ready.push(Obstacle { name: LIFECYCLE, reason: "draining".into() });
        }
        let checks = self.lock();
        if checks.is_empty() {
            not_ready.push(Obstacle { name: LIFECYCLE, reason: "starting".into() });
        }
        not_ready.extend(checks.iter().filter_map(Entry::obstacle));
        Status { ready: not_ready.is_empty(), not_ready }
    }

    /// Sets the gauges that say what `/ready` answers: whether, and every check's share in it.
    pub(crate) fn record(&self) {
        let status = self.status();
        metrics::gauge!(READY.name).set(f64::from(u8::from(status.ready)));
        let names: Vec<&'static str> = self.lock().iter().map(|entry| entry.name).collect();
        for name in std::iter::once(LIFECYCLE).chain(names) {
            let holds = status.not_ready.iter().any(|obstacle| obstacle.name == name);
            metrics::gauge!(NOT_READY.name, "check" => name).set(f64::from(u8::from(holds)));
        }
    }

    fn lock(&self) -> MutexGuard<'_, Vec<Entry>> {
        self.checks.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Returns whether that was a change.
    fn set(&self, id: u64, state: State) -> bool {
        let mut checks = self.lock();
        match checks.iter_mut().find(|entry| entry.id == id) {
            Some(entry) if entry.state != state => {
                entry.state = state;
                true
            }
            _ => false,
        }
    }
}

impl Entry {
    fn obstacle(&self) -> Option<Obstacle> {
        let reason = match &self.state {
            State::Ready => return None,
            State::NotReady(reason) => reason.clone(),
            State::Gone => "its owner has ended".into(),
        };
        Some(Obstacle { name: self.name, reason })
    }
}

/// One component's hold on the readiness of the process. Dropping it makes the process not ready for good, or
/// until another check of the same name is made. Changes are logged; saying the same again is free.
#[derive(Debug)]
pub struct Check {
    readiness: Readiness,
    id: u64,
    name: &'static str,
}

impl Check {
    /// Lets go: nothing stands against traffic from here.
    pub fn ready(&self) {
        if self.readiness.set(self.id, State::Ready) {
            tracing::info!(check = self.name, "ready");
        }
    }

    /// Takes hold again, for a reason in words for an operator.
    pub fn not_ready(&self, reason: impl Into<Cow<'static, str>>) {
        let reason = reason.into();
        if self.readiness.set(self.id, State::NotReady(reason.clone())) {
            tracing::warn!(check = self.name, %reason, "not ready");
        }
    }
}

impl Drop for Check {
    fn drop(&mut self) {
        self.readiness.set(self.id, State::Gone);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::lifecycle::Lifecycle;

    fn obstacles(readiness: &Readiness) -> Vec<(&'static str, String)> {
        let status = readiness.status();
        assert_eq!(status.ready, status.not_ready.is_empty());
        status.not_ready.into_iter().map(|obstacle| (obstacle.name, obstacle.reason.into_owned())).collect()
    }

    #[tokio::test]
    async fn nothing_is_ready_before_the_first_check_is_released() {
        let readiness = Readiness::new(&Lifecycle::without_signals().handle());
        assert_eq!(obstacles(&readiness), [("lifecycle", "starting".to_owned())]);
        let check = readiness.check("redis");
        assert_eq!(obstacles(&readiness), [("redis", "starting".to_owned())]);
        check.ready();
        assert_eq!(obstacles(&readiness), []);
    }

    #[tokio::test]
    async fn every_check_counts_and_tells_its_reason() {
        let readiness = Readiness::new(&Lifecycle::without_signals().handle());
        let (redis, postgres) = (readiness.check("redis"), readiness.check("postgres"));
        redis.ready();
        postgres.not_ready("no connection for 3 s");
        assert_eq!(obstacles(&readiness), [("postgres", "no connection for 3 s".to_owned())]);
        postgres.ready();
        assert!(readiness.status().ready);
        redis.not_ready("gone away");
        assert_eq!(obstacles(&readiness), [("redis", "gone away".to_owned())]);
    }

    #[tokio::test]
    async fn a_dropped_check_is_not_ready_until_its_name_is_taken_over() {
        let readiness = Readiness::new(&Lifecycle::without_signals().handle());
        let check = readiness.check("redis");
        check.ready();
        drop(check);
        assert_eq!(obstacles(&readiness), [("redis", "its owner has ended".to_owned())]);
        readiness.check("postgres").ready();
        let again = readiness.check("redis");
        again.ready();
        assert_eq!(obstacles(&readiness), [("postgres", "its owner has ended".to_owned())]);
    }

    #[tokio::test]
    async fn a_soft_stop_is_not_ready() {
        let lifecycle = Lifecycle::without_signals().handle();
        let readiness = Readiness::new(&lifecycle);
        let check = readiness.check("redis");
        check.ready();
        lifecycle.stop();
        assert_eq!(obstacles(&readiness), [("lifecycle", "draining".to_owned())]);
    }
}
