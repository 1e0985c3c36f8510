//! A conversation on this gateway: who has joined, who waits to be told so, and where its subscription stands.

use std::collections::HashMap;

use parlance_broker::append::Acl;
use parlance_domain::{
    entry::Envelope,
    id::UserId,
    receipt::Cursor,
    rejection::{Code, Rejection},
    version::{Seq, Version},
};

use super::{
    Join, JoinRefusal, Joined, Member,
    crowd::{CROWD, Crowd},
    here::RoomAttendance,
    order::Order,
    resume::{Missed, Resuming},
};

/// Of how many users a room remembers what was announced.
const MAX_ANNOUNCED: usize = 10_000;

/// Where a room's subscription stands.
#[derive(Debug)]
pub(super) enum Phase {
    /// `SSUBSCRIBE` and the reading of the state are under way.
    Subscribing {
        /// The newest durable event that arrived meanwhile.
        arrived: Version,
        /// The connection broke meanwhile: the confirmation may be of before.
        broken: bool,
    },
    /// Events are handed on in order.
    Live(Order),
    /// `SUNSUBSCRIBE` is under way; a join waits for its end and subscribes anew.
    Unsubscribing,
}

impl Phase {
    /// The phase of a room whose subscription has just been asked for.
    pub(super) fn subscribing() -> Self {
        Phase::Subscribing { arrived: Version::default(), broken: false }
    }
}

/// A conversation on this gateway.
pub(super) struct Room {
    pub(super) phase: Phase,
    members: HashMap<u64, Member>,
    /// Where the members are noted.
    attendance: RoomAttendance,
    /// There once were so many that they are served by lanes.
    crowd: Option<Crowd>,
    pub(super) waiting: Vec<Join>,
    /// Sockets that first get what they have missed.
    resuming: Vec<Resuming>,
    /// How many sockets have resumed.
    resumed: u64,
    /// How far each user was announced to have got, so that nobody is told of a step back.
    announced: HashMap<UserId, (Seq, Seq)>,
    /// The newest change of the membership that was handed on.
    pub(super) acl: Acl,
    /// How many repairs were started; only the newest one's result counts.
    pub(super) repairs: u64,
    /// Rises whenever the room becomes empty or is joined; a timer of before then means nothing.
    pub(super) generation: u64,
}

impl Room {
    /// A room whose subscription has just been asked for.
    pub(super) fn subscribing(attendance: RoomAttendance) -> Self {
        Self {
            phase: Phase::subscribing(),
            members: HashMap::new(),
            attendance,
            crowd: None,
            waiting: Vec::new(),
            resuming: Vec::new(),
            resumed: 0,
            announced: HashMap::new(),
            acl: Acl::default(),
            repairs: 0,
            generation: 0,
        }
    }

    /// Whether nobody is in it or wants to be.
    pub(super) fn is_empty(&self) -> bool {
        self.members.is_empty() && self.waiting.is_empty() && self.resuming.is_empty()
    }

    /// Lets everybody in who waits, at the position that the room has reached. One who was authorised before the
    /// membership last changed has to be authorised again. Answers for which of them, and from where on, what they have
    /// missed must be read.
    pub(super) fn admit(&mut self) -> Vec<(u64, Version)> {
        let Phase::Live(order) = &self.phase else { return Vec::new() };
        let heads = order.heads();
        let mut to_read = Vec::new();
        for join in self.waiting.drain(..) {
            if join.acl.is_some_and(|acl| acl < self.acl) {
                (join.confirm)(Err(JoinRefusal::Outdated));
                continue;
            }
            match join.since {
                // One that is further than the room was told by a Redis that has gone back.
                Some(since) if since < heads.version => {
                    self.resumed += 1;
                    to_read.push((self.resumed, since));
                    self.resuming.push(Resuming::new(join, self.resumed));
                }
                since => {
                    self.attendance.enter(&join.member);
                    self.members.insert(join.member.socket.key, join.member);
                    (join.confirm)(Ok(Joined { heads, recovered: since == Some(heads.version) }));
                }
            }
        }
        if self.members.len() > CROWD {
            self.crowd.get_or_insert_default();
        }
        self.crowd_changed();
        to_read
    }

    /// Keeps a durable event for those who are not members yet.
    pub(super) fn keep(&mut self, envelope: &Envelope) {
        self.resuming.iter_mut().for_each(|resuming| resuming.keep(envelope));
    }

    /// What is known now was not told: who resumes must read again.
    pub(super) fn lose_place(&mut self) {
        self.resuming.iter_mut().for_each(|resuming| resuming.failed = true);
    }

    /// Takes what one has missed: the events that he is to be handed before he is let in.
    pub(super) fn resume(
        &mut self,
        ticket: u64,
        missed: Option<Missed>,
    ) -> Option<(Resuming, Option<Vec<Envelope>>)> {
        let place = self.resuming.iter().position(|resuming| resuming.ticket == ticket)?;
        let mut resuming = self.resuming.swap_remove(place);
        let events = resuming.events(missed);
        Some((resuming, events))
    }

    /// Lets one in who has been handed what he missed.
    pub(super) fn let_in(&mut self, resuming: Resuming, recovered: bool) {
        let Join { member, acl, confirm, .. } = resuming.join;
        let Phase::Live(order) = &self.phase else {
            return confirm(Err(Rejection::from(Code::Unavailable).into()));
        };
        if acl.is_some_and(|acl| acl < self.acl) {
            return confirm(Err(JoinRefusal::Outdated));
        }
        let heads = order.heads();
        self.attendance.enter(&member);
        self.members.insert(member.socket.key, member);
        confirm(Ok(Joined { heads, recovered }));
        if self.members.len() > CROWD {
            self.crowd.get_or_insert_default();
        }
        self.crowd_changed();
    }

    /// Who is in it, and the lanes that serve them if there are very many.
    pub(super) fn audience(&mut self) -> (&HashMap<u64, Member>, Option<&mut Crowd>) {
        (&self.members, self.crowd.as_mut())
    }

    /// Takes out whoever `goes`, who must not wait.
    pub(super) fn put_out(&mut self, goes: impl Fn(&Member) -> bool) -> Vec<Member> {
        let out: Vec<Member> =
            self.members.extract_if(|_, member| goes(member)).map(|(_, member)| member).collect();
        out.iter().for_each(|member| self.attendance.leave(member));
        self.crowd_changed();
        out
    }

    fn crowd_changed(&mut self) {
        if let Some(crowd) = &mut self.crowd {
            crowd.changed();
        }
    }

    /// Those of the cursors that are further than what was announced of them, each as far as it is further: a cursor
    /// that did not move, or that came from a gateway behind this one, is not told again.
    pub(super) fn forward(&mut self, cursors: &[Cursor]) -> Vec<Cursor> {
        if self.announced.len() > MAX_ANNOUNCED {
            self.announced.clear();
        }
        let further = |cursor: &Cursor| {
            let known = self.announced.entry(cursor.user.clone()).or_default();
            let (was_delivered, was_read) = *known;
            *known = (was_delivered.max(cursor.delivered), was_read.max(cursor.read));
            let moved = |seq: Seq, before: Seq| if seq > before { seq } else { Seq(0) };
            let delivered = moved(cursor.delivered, was_delivered);
            let read = moved(cursor.read, was_read);
            (delivered.max(read) > Seq(0)).then(|| Cursor { delivered, read, ..cursor.clone() })
        };
        cursors.iter().filter_map(further).collect()
    }

    /// Tells everybody who waits that it cannot be.
    pub(super) fn refuse(&mut self, rejection: &Rejection) {
        for join in self.waiting.drain(..) {
            (join.confirm)(Err(rejection.clone().into()));
        }
    }

    /// Takes a socket out. A join of it that still waits is told so.
    pub(super) fn remove(&mut self, socket: u64) {
        let left = || Rejection::with(Code::Conflict, "the conversation was left meanwhile");
        let waiting = self.waiting.extract_if(.., |join| join.member.socket.key == socket);
        let resuming = self.resuming.extract_if(.., |resuming| resuming.join.member.socket.key == socket);
        for join in waiting.chain(resuming.map(|resuming| resuming.join)) {
            (join.confirm)(Err(left().into()));
        }
        if let Some(member) = self.members.remove(&socket) {
            self.attendance.leave(&member);
        }
        self.crowd_changed();
    }
}
