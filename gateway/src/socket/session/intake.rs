//! The events of a socket that wait to be carried out, one after the other.

use std::{collections::VecDeque, mem};

use crate::socket::{cluster::AckSender, wire::Owed};

/// How many events of one socket may wait to be carried out.
const MAX_WAITING: usize = 64;
/// How many bytes of events of one socket may wait to be carried out.
const MAX_WAITING_BYTES: usize = 4 * 1024 * 1024;

/// An event as it came in.
pub struct Inbound {
    /// The event's name and arguments, as a JSON array.
    pub packet: String,
    /// Where the acknowledgement goes, when the client wants one.
    pub ack: Option<Acknowledgement>,
    /// Kept until it is carried out and answered.
    pub owed: Owed,
}

/// Where an acknowledgement goes.
pub struct Acknowledgement {
    /// What the client calls it.
    pub id: i64,
    /// The way through the engine.
    pub sender: AckSender,
}

/// What waits.
#[derive(Default)]
pub(super) struct Intake {
    waiting: VecDeque<Inbound>,
    bytes: usize,
    /// A task carries the events out.
    running: bool,
}

impl Intake {
    /// Puts an event behind those that wait; true when a task must be started that carries them out. Gives the event
    /// back when too much waits.
    pub(super) fn put(&mut self, inbound: Inbound) -> Result<bool, Inbound> {
        let bytes = inbound.packet.len();
        if self.waiting.len() >= MAX_WAITING || self.bytes + bytes > MAX_WAITING_BYTES {
            return Err(inbound);
        }
        self.bytes += bytes;
        self.waiting.push_back(inbound);
        Ok(!mem::replace(&mut self.running, true))
    }

    /// Nothing is carried out by a task that an event starts: whoever holds it does so later.
    pub(super) fn hold(&mut self) {
        self.running = true;
    }

    /// The next event; after `None` the task must end.
    pub(super) fn take(&mut self) -> Option<Inbound> {
        let next = self.waiting.pop_front();
        match &next {
            Some(inbound) => self.bytes -= inbound.packet.len(),
            None => self.running = false,
        }
        next
    }
}
