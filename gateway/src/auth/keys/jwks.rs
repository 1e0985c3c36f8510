//! Keys that are published at a URL (RFC 7517): fetched by one task, kept while the endpoint fails, fetched again after a
//! while and when a token names a key that is not known. However many tokens do so, the endpoint is asked at most
//! once in [`LEAST_INTERVAL`].

mod document;
mod fetch;

use std::{convert::Infallible, sync::Arc, time::Duration};

use parlance_chassis::{backoff::Backoff, lifecycle::CancellationToken, readiness::Check};
use parlance_domain::rejection::{Code, Rejection};
use tokio::{
    sync::{Notify, watch},
    time::Instant,
};
use url::Url;

use super::{
    Algorithm,
    key::{Demands, Key},
};
use fetch::{FetchError, Source};

/// How much lies between two requests, whatever tokens say.
const LEAST_INTERVAL: Duration = Duration::from_secs(5);
/// How long a token waits for keys.
const PATIENCE: Duration = Duration::from_secs(6);

/// The keys as they are known now; cheap to clone.
#[derive(Clone)]
pub(super) struct Jwks {
    known: watch::Receiver<Known>,
    wanted: Arc<Notify>,
}

/// What was fetched last.
#[derive(Clone, Default)]
struct Known {
    keys: Arc<[Arc<Key>]>,
    /// When the endpoint was last asked, once it has answered or failed.
    asked: Option<Instant>,
    /// Whether it answered then.
    fresh: bool,
}

/// The task that fetches. Nothing is known before it runs.
pub struct Fetching {
    source: Source,
    refresh: Duration,
    known: watch::Sender<Known>,
    wanted: Arc<Notify>,
}

impl Jwks {
    /// The keys that are published at `url`.
    pub(super) fn new(url: Url, refresh: Duration, demands: Demands) -> (Self, Fetching) {
        let (sender, known) = watch::channel(Known::default());
        let wanted = Arc::new(Notify::new());
        let fetching =
            Fetching { source: Source::new(url, demands), refresh, known: sender, wanted: wanted.clone() };
        (Self { known, wanted }, fetching)
    }

    /// The keys that may have signed a token with this algorithm and this name of its key; all that serve the algorithm
    /// when it names none. Waits for a fetch when none of those that are known may.
    ///
    /// # Errors
    /// `unavailable` when there may be such a key and it cannot be known now.
    pub(super) async fn keys(
        &self,
        algorithm: Algorithm,
        id: Option<&str>,
    ) -> Result<Vec<Arc<Key>>, Rejection> {
        let mut known = self.known.clone();
        let end = Instant::now() + PATIENCE;
        loop {
            let now = known.borrow_and_update().clone();
            let fitting = now.fitting(algorithm, id);
            if !fitting.is_empty() {
                return Ok(fitting);
            }
            if now.asked.is_some_and(|asked| asked.elapsed() < LEAST_INTERVAL) {
                return if now.fresh { Ok(Vec::new()) } else { Err(Code::Unavailable.into()) };
            }
            self.wanted.notify_one();
            // A fetch that takes too long ends with a failure of its own.
            if !matches!(tokio::time::timeout_at(end, known.changed()).await, Ok(Ok(()))) {
                return Err(Code::Unavailable.into());
            }
        }
    }
}

impl Known {
    fn fitting(&self, algorithm: Algorithm, id: Option<&str>) -> Vec<Arc<Key>> {
        let fits = |key: &&Arc<Key>| key.serves(algorithm) && id.is_none_or(|id| key.is_called(id));
        self.keys.iter().filter(fits).cloned().collect()
    }
}

impl Fetching {
    /// Fetches until `hard`. `check` is not ready before there are keys.
    pub async fn run(self, check: Check, hard: CancellationToken) -> Result<(), Infallible> {
        check.not_ready("the keys of auth.jwks_url are not known yet");
        let mut backoff = Backoff::new(Duration::from_secs(1), self.refresh);
        loop {
            let fetched = tokio::select! {
                () = hard.cancelled() => return Ok(()),
                fetched = self.source.fetch() => fetched,
            };
            let until_next = match self.take(fetched) {
                true => {
                    check.ready();
                    backoff.reset();
                    self.refresh
                }
                false => backoff.next_delay(),
            };
            tokio::select! {
                () = hard.cancelled() => return Ok(()),
                () = tokio::time::sleep(until_next) => {}
                () = self.wanted_after(LEAST_INTERVAL) => {}
            }
        }
    }

    /// Waits until a token wants a key and `least` has passed.
    async fn wanted_after(&self, least: Duration) {
        tokio::time::sleep(least).await;
        self.wanted.notified().await;
    }

    /// Keeps what was fetched; what was known before, when that failed.
    fn take(&self, fetched: Result<Vec<Key>, FetchError>) -> bool {
        let fetched = fetched.inspect_err(|error| {
            tracing::warn!(%error, url = %self.source.shown(), "failed to fetch keys; those that are known stay in use");
        });
        let result = if fetched.is_ok() { "ok" } else { "failed" };
        metrics::counter!(crate::metrics::JWKS_FETCHES.name, "result" => result).increment(1);
        let fresh = fetched.is_ok();
        self.known.send_modify(|known| {
            if let Ok(keys) = fetched {
                known.keys = keys.into_iter().map(Arc::new).collect();
            }
            known.asked = Some(Instant::now());
            known.fresh = fresh;
            #[expect(clippy::cast_precision_loss, reason = "there are at most 64 keys")]
            metrics::gauge!(crate::metrics::JWKS_KEYS.name).set(known.keys.len() as f64);
        });
        fresh
    }
}
