//! How a socket behaves: how fast its events come, how often they are refused, and when that is too often.

use std::{
    sync::{
        Mutex,
        atomic::{AtomicBool, Ordering},
    },
    time::{Duration, Instant},
};

use governor::{DefaultDirectRateLimiter, RateLimiter, clock::Clock as _};
use parlance_domain::rejection::Rejection;

use super::lock;
use crate::limits::{Limit, Rate, Window, rate_limited};

/// How many events tell a socket of errors in [`COMPLAINTS_IN`].
const COMPLAINTS: u32 = 20;
const COMPLAINTS_IN: Duration = Duration::from_secs(1);

/// What a socket may do before it is too much.
#[derive(Debug, Clone, Copy)]
pub struct Patience {
    /// How many events it may send.
    pub rate: Rate,
    /// With more refused events in a window it is disconnected.
    pub refusals: u32,
    /// The length of such a window.
    pub refusals_in: Duration,
}

/// What a socket has done.
pub(super) struct Conduct {
    limiter: DefaultDirectRateLimiter,
    /// Bounds the events that tell it of errors.
    complaints: Mutex<Window>,
    /// More refused events in a window are abuse.
    most_refusals: u32,
    refusals: Mutex<Window>,
    banned: AtomicBool,
}

impl Conduct {
    pub(super) fn new(patience: Patience) -> Self {
        Self {
            limiter: RateLimiter::direct(patience.rate.quota()),
            complaints: Mutex::new(Window::new(COMPLAINTS_IN)),
            most_refusals: patience.refusals,
            refusals: Mutex::new(Window::new(patience.refusals_in)),
            banned: AtomicBool::new(false),
        }
    }

    /// Whether an event may come now.
    pub(super) fn admit(&self) -> Result<(), Rejection> {
        self.limiter.check().map_err(|until| {
            Limit::Events.count();
            rate_limited(until.wait_time_from(self.limiter.clock().now()))
        })
    }

    /// Whether it may be told of an error by an event now.
    pub(super) fn may_complain(&self) -> bool {
        let may = lock(&self.complaints).note(Instant::now()) <= COMPLAINTS;
        if !may {
            Limit::ErrorEvents.count();
        }
        may
    }

    /// Whether it has been told of so many errors that it is told of no more for a moment.
    pub(super) fn is_past_telling(&self) -> bool {
        lock(&self.complaints).count(Instant::now()) >= COMPLAINTS
    }

    /// Notes a refused event; true, once, when it was one too many.
    pub(super) fn refused(&self) -> bool {
        let refused = lock(&self.refusals).note(Instant::now());
        refused > self.most_refusals && !self.banned.swap(true, Ordering::AcqRel)
    }

    /// Whether there was one too many.
    pub(super) fn is_banned(&self) -> bool {
        self.banned.load(Ordering::Acquire)
    }
}
