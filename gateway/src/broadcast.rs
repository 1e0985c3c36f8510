//! A backend's events for every socket of every gateway: rare, for those who are there, through socketioxide's adapter.
//!
//! One task hands them to the adapters of all namespaces, in the order in which they were asked for.

use std::{convert::Infallible, time::Duration};

use futures_util::future::join_all;
use parlance_chassis::lifecycle::CancellationToken;
use parlance_domain::{
    custom::CustomEvent,
    rejection::{Code, Rejection},
};
use socketioxide::BroadcastError;
use tokio::sync::{mpsc, oneshot};

use crate::{
    dialect::Frame,
    socket::{cluster::Io, connect::Namespaces},
};

/// How many events may wait.
const WAITING: usize = 64;

/// A handle on the task; cheap to clone.
#[derive(Debug, Clone)]
pub struct Broadcasts {
    queue: mpsc::Sender<Broadcast>,
    deadline: Duration,
}

/// What the task takes.
#[derive(Debug)]
pub struct Outgoing(mpsc::Receiver<Broadcast>);

#[derive(Debug)]
struct Broadcast {
    frame: Frame,
    done: oneshot::Sender<Result<(), Rejection>>,
}

impl Broadcasts {
    /// A handle, and what [`Outgoing::run`] takes from it. An event is given up after `deadline`.
    pub fn new(deadline: Duration) -> (Self, Outgoing) {
        let (queue, outgoing) = mpsc::channel(WAITING);
        (Self { queue, deadline }, Outgoing(outgoing))
    }

    /// Hands an event to every socket there is, under its own name and with its own payload in every dialect.
    ///
    /// # Errors
    /// `overloaded` when too many events wait; `unavailable` when Redis is away: then some sockets may have it.
    pub async fn emit(&self, event: &CustomEvent) -> Result<(), Rejection> {
        let (done, outcome) = oneshot::channel();
        self.queue.try_send(Broadcast { frame: Frame::custom(event), done }).map_err(
            |refused| match refused {
                mpsc::error::TrySendError::Full(_) => Rejection::new(Code::Overloaded).after(self.deadline),
                mpsc::error::TrySendError::Closed(_) => Code::Unavailable.into(),
            },
        )?;
        match tokio::time::timeout(self.deadline, outcome).await {
            Ok(Ok(outcome)) => outcome,
            Ok(Err(_)) | Err(_) => Err(Code::Unavailable.into()),
        }
    }
}

impl Outgoing {
    /// Hands events to all namespaces until `hard`.
    pub async fn run(
        mut self,
        io: Io,
        namespaces: Namespaces,
        hard: CancellationToken,
    ) -> Result<(), Infallible> {
        loop {
            let next = tokio::select! {
                () = hard.cancelled() => return Ok(()),
                next = self.0.recv() => next,
            };
            let Some(Broadcast { frame, done }) = next else {
                return Ok(());
            };
            // Who asked has been told that it did not happen.
            if done.is_closed() {
                continue;
            }
            let namespaces = namespaces.all();
            let outcome = tokio::select! {
                () = hard.cancelled() => return Ok(()),
                outcome = emit(&io, &namespaces, &frame) => outcome,
            };
            let _ = done.send(outcome);
        }
    }
}

async fn emit(io: &Io, namespaces: &[String], frame: &Frame) -> Result<(), Rejection> {
    let Some(payload) = &frame.payload else {
        return Err(Code::Internal.into());
    };
    let operators = namespaces.iter().filter_map(|namespace| io.of(namespace));
    let emits = operators.map(|operators| operators.emit(&*frame.event, payload.as_ref()));
    for outcome in join_all(emits).await {
        match outcome {
            Ok(()) => {}
            // Their buffers are full of what they did not read; the wire ends them if that goes on.
            Err(BroadcastError::Socket(errors)) => {
                tracing::warn!(
                    sockets = errors.len(),
                    "sockets that do not read missed an event for everyone"
                );
            }
            Err(error) => {
                tracing::warn!(%error, "failed to emit to everyone");
                return Err(Code::Unavailable.into());
            }
        }
    }
    Ok(())
}
