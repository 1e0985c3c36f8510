//! What components see of the lifecycle: where to spawn, when to stop.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use tokio::runtime;
use tokio::sync::watch;
use tokio::task::AbortHandle;
use tokio_util::sync::CancellationToken;

use super::failure::{BoxError, catch_panic, log_error};
use super::roster::Roster;

/// A cheap handle to the lifecycle of the process. Everything that runs is spawned here, so that the drain
/// waits for it. All methods may be called from synchronous code and from threads outside the runtime.
#[derive(Clone, Debug)]
pub struct Handle(Arc<Inner>);

#[derive(Debug)]
struct Inner {
    runtime: runtime::Handle,
    soft: CancellationToken,
    hard: CancellationToken,
    /// What the drain waits for.
    work: Roster,
    /// What the drain needs, and what therefore ends after it.
    support: Roster,
    failed: AtomicBool,
    reloads: watch::Sender<()>,
}

impl Handle {
    pub(super) fn new(runtime: runtime::Handle) -> Self {
        let hard = CancellationToken::new();
        Self(Arc::new(Inner {
            runtime,
            soft: hard.child_token(), // a hard stop is a soft stop too
            hard,
            work: Roster::default(),
            support: Roster::default(),
            failed: AtomicBool::new(false),
            reloads: watch::Sender::new(()),
        }))
    }

    /// Spawns a critical task: when it ends with an error or panics, that is logged with `name`, the process
    /// drains, and its exit code is a failure. It should end soon after [`Handle::soft`]; the drain waits for it.
    pub fn spawn<F, E>(&self, name: &'static str, task: F)
    where
        F: Future<Output = Result<(), E>> + Send + 'static,
        E: Into<Box<dyn std::error::Error + Send + Sync>> + Send + 'static,
    {
        let watched = self.clone().watch(name, task);
        self.0.work.spawn(&self.0.runtime, name, watched);
    }

    /// Spawns a critical task that the others need until they are done (a connection, the admin listener).
    /// It should end soon after [`Handle::hard`], which comes at the latest when everything else has ended.
    pub fn spawn_support<F, E>(&self, name: &'static str, task: F)
    where
        F: Future<Output = Result<(), E>> + Send + 'static,
        E: Into<Box<dyn std::error::Error + Send + Sync>> + Send + 'static,
    {
        let watched = self.clone().watch(name, task);
        self.0.support.spawn(&self.0.runtime, name, watched);
    }

    /// Spawns a short-lived task, one request's or one socket's. The drain waits for it; a panic in it is
    /// logged with `name`, counted, and ends nothing else. Dropping the returned handle does not end it.
    pub fn spawn_request<F>(&self, name: &'static str, task: F) -> AbortHandle
    where
        F: Future<Output = ()> + Send + 'static,
    {
        let caught = async move {
            catch_panic(name, task).await;
        };
        self.0.work.spawn(&self.0.runtime, name, caught)
    }

    /// Cancelled when the drain begins: take no new work, finish what is there.
    pub fn soft(&self) -> CancellationToken {
        self.0.soft.clone()
    }

    /// Cancelled when the drain is over, for whatever reason: end now.
    pub fn hard(&self) -> CancellationToken {
        self.0.hard.clone()
    }

    /// Begins the drain. Calling it again changes nothing.
    pub fn stop(&self) {
        self.0.soft.cancel();
    }

    /// Ends the drain, or the process without one.
    pub fn stop_now(&self) {
        self.0.hard.cancel();
    }

    /// Asks for the files that can be read again while the process runs, as SIGHUP does.
    pub fn reload(&self) {
        self.0.reloads.send_replace(());
    }

    /// Sees a change whenever it is asked for; several times in quick succession are one.
    pub fn reloads(&self) -> watch::Receiver<()> {
        self.0.reloads.subscribe()
    }

    async fn watch<F, E>(self, name: &'static str, task: F)
    where
        F: Future<Output = Result<(), E>>,
        E: Into<BoxError>,
    {
        match catch_panic(name, task).await {
            Some(Ok(())) => tracing::debug!(task = name, "task ended"),
            Some(Err(error)) => {
                log_error(name, &error.into());
                self.fail();
            }
            None => self.fail(),
        }
    }

    fn fail(&self) {
        self.0.failed.store(true, Ordering::Release);
        self.stop();
    }

    pub(super) fn has_failed(&self) -> bool {
        self.0.failed.load(Ordering::Acquire)
    }

    pub(super) fn work(&self) -> Roster {
        self.0.work.clone()
    }

    pub(super) fn support(&self) -> Roster {
        self.0.support.clone()
    }
}
