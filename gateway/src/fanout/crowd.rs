//! Rooms with very many sockets: their events are handed on by several tasks at the same time, so that one crowd
//! does not hold up the other conversations of its dispatch worker.
//!
//! A socket always belongs to the same lane, and a lane hands its chunks on one after the other: in one
//! conversation every socket still gets the events in order. A room that became a crowd stays one, because events
//! that are handed on directly could overtake those in the lanes.

use std::{
    collections::HashMap,
    convert::Infallible,
    sync::{Arc, atomic::Ordering},
};

use parlance_chassis::lifecycle::{CancellationToken, Handle};
use tokio::sync::mpsc;

use super::{Member, encoded::Encoded};

/// From this many sockets on a room is a crowd.
pub(super) const CROWD: usize = 1_000;
/// How many chunks may wait in a lane; a worker that has more waits.
const WAITING: usize = 256;

/// The tasks that hand chunks on; cheap to clone.
#[derive(Clone)]
pub(super) struct Lanes(Arc<[mpsc::Sender<Chunk>]>);

/// An event for some sockets of a crowd.
pub(super) struct Chunk {
    event: Arc<Encoded>,
    members: Arc<[Member]>,
    lane: usize,
}

/// The sockets of a crowd, by lane; made anew when somebody came or went.
#[derive(Default)]
pub(super) struct Crowd(Option<Vec<Arc<[Member]>>>);

impl Lanes {
    /// Starts `count` lanes, at least one.
    pub(super) fn start(count: usize, delivered: &metrics::Counter, lifecycle: &Handle) -> Self {
        let start = |_| {
            let (chunks, queue) = mpsc::channel(WAITING);
            lifecycle.spawn_support("crowd lane", run(queue, delivered.clone(), lifecycle.hard()));
            chunks
        };
        Self((0..count.max(1)).map(start).collect())
    }

    /// Puts a chunk in its lane; waits while that is full.
    pub(super) async fn send(&self, chunk: Chunk) {
        if let Some(lane) = self.0.get(chunk.lane) {
            // A closed lane belongs to a gateway that has ended.
            let _ = lane.send(chunk).await;
        }
    }
}

impl Crowd {
    /// Somebody came or went.
    pub(super) fn changed(&mut self) {
        self.0 = None;
    }

    /// The event, cut into one chunk a lane.
    pub(super) fn cut(
        &mut self,
        lanes: &Lanes,
        event: &Arc<Encoded>,
        members: &HashMap<u64, Member>,
    ) -> impl Iterator<Item = Chunk> {
        let lanes =
            self.0.get_or_insert_with(|| by_lane(lanes.0.len(), &members.values().collect::<Vec<_>>()));
        lanes.iter().enumerate().map(move |(lane, members)| Chunk {
            event: event.clone(),
            members: members.clone(),
            lane,
        })
    }
}

/// An event for sockets that are not in the crowd any more, behind what their lanes hold.
pub(super) fn cut(lanes: &Lanes, event: &Arc<Encoded>, members: &[Member]) -> impl Iterator<Item = Chunk> {
    let chunk = |(lane, members): (usize, Arc<[Member]>)| {
        (!members.is_empty()).then(|| Chunk { event: event.clone(), members, lane })
    };
    by_lane(lanes.0.len(), &members.iter().collect::<Vec<_>>()).into_iter().enumerate().filter_map(chunk)
}

fn by_lane(lanes: usize, members: &[&Member]) -> Vec<Arc<[Member]>> {
    let lane = |lane: usize| {
        let of_lane = |member: &&&Member| usize::try_from(member.socket.key).unwrap_or(0) % lanes == lane;
        members.iter().filter(of_lane).map(|member| Member::clone(member)).collect()
    };
    (0..lanes).map(lane).collect()
}

async fn run(
    mut queue: mpsc::Receiver<Chunk>,
    delivered: metrics::Counter,
    hard: CancellationToken,
) -> Result<(), Infallible> {
    loop {
        let chunk = tokio::select! {
            () = hard.cancelled() => return Ok(()),
            chunk = queue.recv() => chunk,
        };
        let Some(Chunk { event, members, .. }) = chunk else {
            return Ok(());
        };
        // Whoever left while the chunk waited gets nothing more.
        let present = members.iter().filter(|member| member.present.load(Ordering::Relaxed));
        delivered.increment(present.map(|member| event.deliver(member)).sum());
        tokio::task::yield_now().await;
    }
}
