//! What is left to do about presence when no gateway does it: removing the clients of gateways that are gone, telling
//! conversations of what a crash left untold, and storing when users were last seen. Each is a unit of its own, so that
//! none waits for another one's servers. Who counts as connected, and what is a transition, is decided by the scripts of
//! the broker.

mod announce;
mod last_seen;
mod sweep;

pub(crate) use announce::Announcer;
pub(crate) use last_seen::Keeper;
pub(crate) use sweep::Sweeper;

use futures_util::{StreamExt, stream};
use parlance_broker::BrokerError;

/// How many scripts run at the same time.
const IN_FLIGHT: usize = 32;

/// How the items of a batch went.
#[derive(Default)]
struct Outcome {
    /// How many were done.
    done: u64,
    /// What kept others from it.
    failure: Option<BrokerError>,
    /// Redis is away: the next batch would fail in the same way.
    is_outage: bool,
}

/// Works on each item, several at the same time. One that fails does not hold up the others; when Redis is away, what
/// has not begun is left for later.
async fn each<T, F>(items: impl IntoIterator<Item = T>, work: impl Fn(T) -> F) -> Outcome
where
    F: Future<Output = Result<(), BrokerError>>,
{
    work_on(items, work, true).await
}

/// The same for items each of which may need another Redis: one that is away does not hold up what others are for.
async fn each_elsewhere<T, F>(items: impl IntoIterator<Item = T>, work: impl Fn(T) -> F) -> Outcome
where
    F: Future<Output = Result<(), BrokerError>>,
{
    work_on(items, work, false).await
}

async fn work_on<T, F>(
    items: impl IntoIterator<Item = T>,
    work: impl Fn(T) -> F,
    ends_with_an_outage: bool,
) -> Outcome
where
    F: Future<Output = Result<(), BrokerError>>,
{
    let mut outcomes = stream::iter(items).map(work).buffer_unordered(IN_FLIGHT);
    let mut outcome = Outcome::default();
    while let Some(answer) = outcomes.next().await {
        match answer {
            Ok(()) => outcome.done += 1,
            Err(error) => {
                outcome.is_outage |= error.is_retryable();
                outcome.failure = Some(error);
            }
        }
        if outcome.is_outage && ends_with_an_outage {
            break;
        }
    }
    outcome
}
