//! A conversation on this gateway: who has joined, who waits to be told so, and where its subscription stands.

use std::collections::HashMap;

use parlance_broker::append::Acl;
use parlance_domain::{
    id::UserId,
    receipt::Cursor,
    rejection::{Code, Rejection},
    version::{Seq, Version},
};

use super::{
    Join, JoinRefusal, Member,
    crowd::{CROWD, Crowd},
    order::Order,
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
    /// There once were so many that they are served by lanes.
    crowd: Option<Crowd>,
    pub(super) waiting: Vec<Join>,
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
    pub(super) fn subscribing() -> Self {
        Self {
            phase: Phase::subscribing(),
            members: HashMap::new(),
            crowd: None,
            waiting: Vec::new(),
            announced: HashMap::new(),
            acl: Acl::default(),
            repairs: 0,
            generation: 0,
        }
    }

    /// Whether nobody is in it or wants to be.
    pub(super) fn is_empty(&self) -> bool {
        self.members.is_empty() && self.waiting.is_empty()
    }

    /// Lets everybody in who waits, at the position that the room has reached. One who was authorised before the
    /// membership last changed has to be authorised again.
    pub(super) fn admit(&mut self) {
        let Phase::Live(order) = &self.phase else { return };
        let heads = order.heads();
        for Join { member, acl, confirm } in self.waiting.drain(..) {
            if acl.is_some_and(|acl| acl < self.acl) {
                confirm(Err(JoinRefusal::Outdated));
                continue;
            }
            self.members.insert(member.socket.key, member);
            confirm(Ok(heads));
        }
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
        self.crowd_changed();
        out
    }

    fn crowd_changed(&mut self) {
        if let Some(crowd) = &mut self.crowd {
            crowd.changed();
        }
    }

    /// Those of the cursors that are further than what was announced of them.
    pub(super) fn forward(&mut self, cursors: &[Cursor]) -> Vec<Cursor> {
        if self.announced.len() > MAX_ANNOUNCED {
            self.announced.clear();
        }
        let is_forward = |cursor: &&Cursor| {
            let known = self.announced.entry(cursor.user.clone()).or_default();
            let moved = (known.0.max(cursor.delivered), known.1.max(cursor.read));
            let is_forward = moved != *known;
            *known = moved;
            is_forward
        };
        cursors.iter().filter(is_forward).cloned().collect()
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
        for join in self.waiting.extract_if(.., |join| join.member.socket.key == socket) {
            (join.confirm)(Err(left().into()));
        }
        self.members.remove(&socket);
        self.crowd_changed();
    }
}
