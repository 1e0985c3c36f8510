//! A conversation on this gateway: who has joined, who waits to be told so, and where its subscription stands.

use std::{
    collections::{HashMap, HashSet},
    mem,
    sync::atomic::Ordering,
};

use parlance_broker::append::Acl;
use parlance_domain::{
    entry::Envelope,
    event::Event,
    id::UserId,
    receipt::Cursor,
    rejection::{Code, Rejection},
    version::{Seq, Version},
};

use super::{
    Join, JoinRefusal, Joined, Member,
    attendance::RoomAttendance,
    crowd::{CROWD, Crowd},
    listing::{Listing, MemberList},
    order::Order,
    resume::{Missed, Reading, Resuming},
};
use crate::presence::heard::Newest;

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

/// What must be read before everybody can be let in who waits.
#[derive(Default)]
pub(super) struct ToRead {
    /// What was missed.
    pub(super) missed: Vec<Reading>,
    /// Who is there.
    pub(super) members: bool,
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
    /// Those who wait to be told who else is there.
    listing: Option<Listing>,
    /// Sockets that first get what they have missed.
    resuming: Vec<Resuming>,
    /// How many sockets have resumed.
    resumed: u64,
    /// How far each user was announced to have got, so that nobody is told of a step back.
    announced: HashMap<UserId, (Seq, Seq)>,
    /// The newest presence of each user that was handed on.
    pub(super) presences: Newest,
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
            listing: None,
            resuming: Vec::new(),
            resumed: 0,
            announced: HashMap::new(),
            presences: Newest::default(),
            acl: Acl::default(),
            repairs: 0,
            generation: 0,
        }
    }

    /// Whether nobody is in it or wants to be.
    pub(super) fn is_empty(&self) -> bool {
        let is_listed_for = self.listing.as_ref().is_some_and(|listing| !listing.waiting.is_empty());
        self.members.is_empty() && self.waiting.is_empty() && self.resuming.is_empty() && !is_listed_for
    }

    /// Lets everybody in who waits, at the position that the room has reached. One who was authorised before the
    /// membership last changed has to be authorised again. Whoever is to be told who is there waits once more, unless that
    /// is known: it is `list`. Answers what must be read.
    pub(super) fn admit(&mut self, list: Option<&MemberList>) -> ToRead {
        let Phase::Live(order) = &self.phase else { return ToRead::default() };
        let heads = order.heads();
        let mut to_read = ToRead::default();
        for join in mem::take(&mut self.waiting) {
            let socket = join.member.socket.key;
            // One that ended before its join came here was taken out before, too; nobody would take it out again.
            if join.member.socket.has_ended() {
                (join.confirm)(Err(Rejection::from(Code::Unavailable).into()));
            } else if self.is_outdated(&join) {
                if join.since.is_some() {
                    self.take_out(socket);
                    self.attendance.leave(&join.member);
                }
                (join.confirm)(Err(JoinRefusal::Outdated));
            } else if let Some(resuming) = self.resuming.iter_mut().find(|resuming| resuming.is_of(socket)) {
                resuming.share(join);
            } else {
                match &join.since {
                    Some(place) if place.version != heads.version => {
                        self.resumed += 1;
                        to_read.missed.push(Reading {
                            ticket: self.resumed,
                            place: place.clone(),
                            room: heads.version,
                        });
                        // A member would be handed what follows at once, and then again behind what it has missed.
                        self.take_out(socket);
                        self.resuming.push(Resuming::new(join, self.resumed));
                    }
                    None if join.lists_members && list.is_none() => {
                        to_read.members |= self.listing.is_none();
                        self.listing.get_or_insert_default().waiting.push(join);
                    }
                    since => {
                        let recovered = since.is_some();
                        let members = list.filter(|_| join.lists_members).cloned();
                        self.enter(join.member);
                        (join.confirm)(Ok(Joined { heads, recovered, members }));
                    }
                }
            }
        }
        self.members_changed();
        to_read
    }

    /// Takes what was read of who is there, and lets those wait again who waited for it. The list as it is now; of those
    /// whom this gateway knows when nothing could be read.
    pub(super) fn listed(&mut self, found: Option<(Vec<UserId>, u64)>) -> Option<MemberList> {
        let mut listing = self.listing.take()?;
        self.waiting.append(&mut listing.waiting);
        let found = found.unwrap_or_else(|| {
            let users: HashSet<&UserId> = self.members.values().map(|member| &member.user).collect();
            let count = users.len() as u64;
            (users.into_iter().cloned().collect(), count)
        });
        Some(listing.finish(found))
    }

    /// Notes what may make a list another one that is being read.
    pub(super) fn hear(&mut self, event: &Event) {
        if let Some(listing) = &mut self.listing {
            listing.hear(event);
        }
    }

    /// Keeps a durable event for those who are not members yet.
    pub(super) fn keep(&mut self, envelope: &Envelope) {
        self.resuming.iter_mut().for_each(|resuming| resuming.keep(envelope));
    }

    /// What is known now was not told: who resumes must read again.
    pub(super) fn lose_place(&mut self) {
        self.resuming.iter_mut().for_each(Resuming::fail);
    }

    /// Takes what somebody has missed. Answers up to where it tells when the room is not there yet; it is kept until the
    /// room is.
    pub(super) fn missed(&mut self, ticket: u64, missed: Option<Missed>) -> Option<Version> {
        let Phase::Live(order) = &self.phase else { return None };
        let heads = order.heads().version;
        self.resuming.iter_mut().find(|resuming| resuming.ticket == ticket)?.take(missed, heads)
    }

    /// Ends the waiting of one who resumes: answers with what he is to be handed before [`Room::let_in`], `None` when
    /// that is not known. One whose membership has changed meanwhile is handed nothing and has to be authorised again.
    pub(super) fn resume(&mut self, ticket: u64) -> Option<(Resuming, Option<Vec<Envelope>>)> {
        let Phase::Live(order) = &self.phase else { return None };
        let heads = order.heads().version;
        let place = self.resuming.iter().position(|resuming| resuming.ticket == ticket)?;
        let mut resuming = self.resuming.swap_remove(place);
        if self.is_outdated(&resuming.join) {
            self.attendance.leave(&resuming.join.member);
            resuming.refuse(|| JoinRefusal::Outdated);
            return None;
        }
        let events = resuming.events(heads);
        Some((resuming, events))
    }

    /// Those whose reading waits for the room.
    pub(super) fn readers(&self) -> Vec<u64> {
        self.resuming.iter().filter(|resuming| resuming.has_read()).map(|resuming| resuming.ticket).collect()
    }

    /// Lets one in who has been handed what he missed.
    pub(super) fn let_in(&mut self, resuming: Resuming, recovered: bool) {
        let Phase::Live(order) = &self.phase else {
            self.attendance.leave(&resuming.join.member);
            return resuming.refuse(|| Rejection::from(Code::Unavailable).into());
        };
        let heads = order.heads();
        self.enter(resuming.join.member.clone());
        resuming.confirm(heads, recovered);
        self.members_changed();
    }

    fn is_outdated(&self, join: &Join) -> bool {
        join.acl.is_some_and(|acl| acl < self.acl)
    }

    /// One who is in it already stays as he is.
    fn enter(&mut self, member: Member) {
        self.attendance.enter(&member);
        self.members.entry(member.socket.key).or_insert(member);
    }

    /// Hands nothing more to a socket. Whoever comes back in a moment is still noted to be there.
    fn take_out(&mut self, socket: u64) -> Option<Member> {
        let member = self.members.remove(&socket)?;
        member.present.store(false, Ordering::Relaxed);
        Some(member)
    }

    fn members_changed(&mut self) {
        if self.members.len() > CROWD {
            self.crowd.get_or_insert_default();
        }
        if let Some(crowd) = &mut self.crowd {
            crowd.changed();
        }
    }

    /// Who is in it, and the lanes that serve them if there are very many.
    pub(super) fn audience(&mut self) -> (&HashMap<u64, Member>, Option<&mut Crowd>) {
        (&self.members, self.crowd.as_mut())
    }

    /// Whose sockets are in it or on their way.
    pub(super) fn users(&self) -> HashSet<UserId> {
        let listing = self.listing.iter().flat_map(|listing| &listing.waiting);
        let waiting = self.waiting.iter().chain(listing).map(|join| &join.member);
        let resuming = self.resuming.iter().map(|resuming| &resuming.join.member);
        self.members.values().chain(waiting).chain(resuming).map(|member| member.user.clone()).collect()
    }

    /// Whether it is served by lanes.
    pub(super) fn is_crowd(&self) -> bool {
        self.crowd.is_some()
    }

    /// Takes out whoever `goes`, who must not wait. What lanes still hold for them they get.
    pub(super) fn put_out(&mut self, goes: impl Fn(&Member) -> bool) -> Vec<Member> {
        let out: Vec<Member> =
            self.members.extract_if(|_, member| goes(member)).map(|(_, member)| member).collect();
        out.iter().for_each(|member| self.attendance.leave(member));
        self.members_changed();
        out
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
        let listing = self.listing.iter_mut().map(|listing| &mut listing.waiting);
        for waiting in [&mut self.waiting].into_iter().chain(listing) {
            for join in waiting.extract_if(.., |join| join.member.socket.key == socket) {
                (join.confirm)(Err(left().into()));
            }
        }
        for resuming in self.resuming.extract_if(.., |resuming| resuming.is_of(socket)) {
            self.attendance.leave(&resuming.join.member);
            resuming.refuse(|| left().into());
        }
        if let Some(member) = self.take_out(socket) {
            self.attendance.leave(&member);
        }
        self.members_changed();
    }
}
