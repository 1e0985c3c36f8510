//! Random steps of some users on some gateways, against a model in memory that was written from the design: who is seen
//! how, what is a transition, and who is told of it.

use std::{
    collections::{BTreeMap, BTreeSet},
    time::Duration,
};

use parlance_broker::{
    lease::{LeaseId, Leases},
    presence::{Announcement, Presences, Transition},
};
use parlance_domain::{
    id::UserId,
    presence::{Presence, Status},
    time::Timestamp,
};
use proptest::{collection::vec, prelude::*};

use super::{session, user};
use crate::{
    lease::{assert_nothing_is_left, expire, held},
    listening::Listener,
    world::{World, conversation},
};

const GATEWAYS: usize = 3;
/// In both partitions, with odd characters among them.
const USERS: [&str; 4] = ["c2", "c3", "a b:{c}", "{p0}:\"/\\"];
const SESSIONS: usize = 3;
const CONVERSATIONS: [&str; 3] = ["c2", "c 3", "x}:{y"];

#[derive(Debug, Clone)]
enum Step {
    Connect {
        gateway: usize,
        user: usize,
        session: usize,
    },
    Disconnect {
        gateway: usize,
        user: usize,
        session: usize,
    },
    Choose {
        user: usize,
        status: Status,
    },
    Visit {
        user: usize,
        session: usize,
        conversation: usize,
    },
    Leave {
        user: usize,
        conversation: usize,
    },
    /// A gateway's lease expires, and it takes another one.
    Expire {
        gateway: usize,
    },
    /// A worker removes what a user has under one of the expired leases.
    Expel {
        user: usize,
        lease: usize,
    },
    /// A worker announces what nobody has announced.
    TakeUp,
    /// Somebody announces a transition that was announced before, or is not the newest.
    Late {
        transition: usize,
    },
}

fn step() -> impl Strategy<Value = Step> {
    let (gateway, user, session) = (0..GATEWAYS, 0..USERS.len(), 0..SESSIONS);
    let conversation = 0..CONVERSATIONS.len();
    let socket = (gateway.clone(), user.clone(), session.clone());
    prop_oneof![
        6 => socket.clone().prop_map(|(gateway, user, session)| Step::Connect { gateway, user, session }),
        5 => socket.prop_map(|(gateway, user, session)| Step::Disconnect { gateway, user, session }),
        3 => (user.clone(), 0..4_usize)
            .prop_map(|(user, status)| Step::Choose { user, status: Status::ALL[status] }),
        6 => (user.clone(), session, conversation.clone())
            .prop_map(|(user, session, conversation)| Step::Visit { user, session, conversation }),
        1 => (user.clone(), conversation).prop_map(|(user, conversation)| Step::Leave { user, conversation }),
        1 => gateway.prop_map(|gateway| Step::Expire { gateway }),
        2 => (user, any::<usize>()).prop_map(|(user, lease)| Step::Expel { user, lease }),
        1 => Just(Step::TakeUp),
        1 => any::<usize>().prop_map(|transition| Step::Late { transition }),
    ]
}

/// A step, whether it is repeated, and whether who made it lives long enough to announce it.
fn steps() -> impl Strategy<Value = Vec<(Step, bool, bool)>> {
    vec((step(), prop::bool::weighted(0.2), prop::bool::weighted(0.7)), 1..60)
}

/// What others are to be shown of a user: status, and whether he is connected.
type Shown = (Status, bool);

#[derive(Debug, Default)]
struct User {
    /// Each session with the place of its lease among all that there were.
    sessions: BTreeMap<usize, usize>,
    chosen: Option<Status>,
    shown: Shown,
    visits: BTreeSet<String>,
    /// Whether the last transition has not been announced.
    is_pending: bool,
    last: Timestamp,
}

impl User {
    fn now(&self, leases: &[(LeaseId, bool)]) -> Shown {
        let connected = self.sessions.values().any(|lease| leases[*lease].1);
        (if connected { self.chosen.unwrap_or(Status::Online) } else { Status::Offline }, connected)
    }

    /// Whether there is a transition: that somebody goes who hides is none. Who has gone and has nobody to tell is forgotten at once.
    fn conclude(&mut self, leases: &[(LeaseId, bool)]) -> Option<(Shown, BTreeSet<String>)> {
        let now = self.now(leases);
        if now == self.shown {
            return None;
        }
        let was_hidden = self.shown.0 == Status::Offline;
        self.shown = now;
        if !now.1 {
            self.chosen = None;
            if was_hidden {
                self.forget_if_over();
                return None;
            }
        }
        self.is_pending = !self.visits.is_empty();
        let told = self.visits.clone();
        self.forget_if_over();
        Some((now, told))
    }

    fn forget_if_over(&mut self) {
        if !self.shown.1 && !self.is_pending {
            self.sessions.clear();
            self.visits.clear();
        }
    }

    fn announced(&mut self, at: Timestamp) {
        if at == self.last {
            self.is_pending = false;
            self.forget_if_over();
        }
    }
}

struct Run {
    world: World,
    leases: Leases,
    presences: Presences,
    listener: Listener,
    /// All leases that there were, and whether they hold.
    all_leases: Vec<(LeaseId, bool)>,
    /// The lease of each gateway.
    gateways: Vec<usize>,
    users: Vec<User>,
    transitions: Vec<Transition>,
    /// Everything that is to be published for everybody, in order.
    published: Vec<Presence>,
    /// Everything that conversations are to be told.
    told: Vec<(String, Presence)>,
}

impl Run {
    async fn new() -> Self {
        let world = World::new().await;
        let leases = Leases::new(world.broker.clone());
        let mut all_leases = Vec::new();
        for gateway in 0..GATEWAYS {
            all_leases.push((held(&leases, &format!("g{gateway}")).await, true));
        }
        Self {
            presences: Presences::new(world.broker.clone()),
            listener: Listener::new(&world, &CONVERSATIONS).await,
            leases,
            world,
            all_leases,
            gateways: (0..GATEWAYS).collect(),
            users: USERS.iter().map(|_| User::default()).collect(),
            transitions: Vec::new(),
            published: Vec::new(),
            told: Vec::new(),
        }
    }

    async fn take(&mut self, step: &Step, announces: bool) {
        match *step {
            Step::Connect { gateway, user: place, session: number } => {
                let lease = self.gateways[gateway];
                let socket = session(&format!("s{number}"), 1);
                let (id, user) = (&self.all_leases[lease].0, user(USERS[place]));
                let found = self.presences.connect(id, &user, &socket).await.unwrap();
                self.users[place].sessions.insert(number, lease);
                self.compare(place, found, announces).await;
            }
            Step::Disconnect { gateway, user: place, session: number } => {
                let lease = self.gateways[gateway];
                let (id, user) = (&self.all_leases[lease].0, user(USERS[place]));
                let socket = session(&format!("s{number}"), 1).id;
                let found = self.presences.disconnect(id, &user, &socket).await.unwrap();
                let sessions = &mut self.users[place].sessions;
                if sessions.get(&number) == Some(&lease) {
                    sessions.remove(&number);
                }
                self.compare(place, found, announces).await;
            }
            Step::Choose { user: place, status } => {
                let answer = self.presences.set_status(&user(USERS[place]), status).await.unwrap();
                if !self.users[place].now(&self.all_leases).1 {
                    assert_eq!(answer, None);
                    return;
                }
                let (presence, found) = answer.unwrap();
                self.users[place].chosen = Some(status);
                assert_eq!((presence.status, presence.connected), (status, true));
                self.compare(place, found, announces).await;
                assert_eq!(presence.at, self.users[place].last);
            }
            Step::Visit { user: place, session: number, conversation: id } => {
                let (id, socket) = (CONVERSATIONS[id], session(&format!("s{number}"), 1).id);
                let visited = self.presences.visit(&user(USERS[place]), &socket, &conversation(id)).await;
                let found = visited.unwrap();
                let model = &mut self.users[place];
                let counts = model.sessions.get(&number).is_some_and(|lease| self.all_leases[*lease].1);
                let now = counts.then(|| model.now(&self.all_leases));
                assert_eq!(found.as_ref().map(|presence| (presence.status, presence.connected)), now);
                if let Some(presence) = found {
                    assert_eq!(presence.at, model.last);
                    model.visits.insert(id.to_owned());
                }
            }
            Step::Leave { user: place, conversation: id } => {
                let id = CONVERSATIONS[id];
                self.presences.leave(&user(USERS[place]), &conversation(id)).await.unwrap();
                self.users[place].visits.remove(id);
            }
            Step::Expire { gateway } => {
                let lease = self.gateways[gateway];
                expire(&self.leases, &self.all_leases[lease].0).await;
                self.all_leases[lease].1 = false;
                self.gateways[gateway] = self.all_leases.len();
                self.all_leases.push((held(&self.leases, &format!("g{gateway}")).await, true));
            }
            Step::Expel { user: place, lease } => {
                let lease = lease % self.all_leases.len();
                let (id, holds) = &self.all_leases[lease];
                let found = self.presences.expel(id, &user(USERS[place])).await.unwrap();
                if *holds {
                    assert_eq!(found, None);
                    return;
                }
                self.users[place].sessions.retain(|_, under| *under != lease);
                self.compare(place, found, announces).await;
            }
            Step::TakeUp => self.take_up().await,
            Step::Late { transition } => {
                if let Some(count) = self.transitions.len().checked_sub(1) {
                    let transition = self.transitions[transition % (count + 1)].clone();
                    self.announce(&transition).await;
                }
            }
        }
    }

    /// Compares what a step found with the model.
    async fn compare(&mut self, place: usize, found: Option<Transition>, announces: bool) {
        let expected = self.users[place].conclude(&self.all_leases);
        let told = found.clone().map(|transition| {
            let conversations: BTreeSet<_> = transition.conversations.into_iter().map(String::from).collect();
            ((transition.presence.status, transition.presence.connected), conversations)
        });
        assert_eq!(told, expected, "of {}", USERS[place]);
        let Some(transition) = found else { return };
        assert_eq!(transition.presence.user.as_str(), USERS[place]);
        assert!(transition.presence.at > self.users[place].last, "numbers grow");
        self.users[place].last = transition.presence.at;
        self.published.push(transition.presence.clone());
        self.transitions.push(transition.clone());
        if announces {
            self.announce(&transition).await;
        }
    }

    async fn announce(&mut self, transition: &Transition) {
        self.presences.announce(transition).await.unwrap();
        let presence = &transition.presence;
        let place = USERS.iter().position(|name| *name == presence.user.as_str()).unwrap();
        for conversation in &transition.conversations {
            self.told.push((conversation.to_string(), presence.clone()));
        }
        if !transition.conversations.is_empty() {
            self.users[place].announced(presence.at);
        }
    }

    async fn take_up(&mut self) {
        let mut found = Vec::new();
        for partition in self.world.broker.keys().partitions().all() {
            found.extend(self.presences.unannounced(partition, Duration::ZERO, 100).await.unwrap());
        }
        let mut pending = BTreeSet::new();
        for (place, user) in self.users.iter_mut().enumerate().filter(|(_, user)| user.is_pending) {
            if user.visits.is_empty() {
                user.announced(user.last);
            } else {
                pending.insert(USERS[place]);
            }
        }
        assert_eq!(
            found.iter().map(|transition| transition.presence.user.as_str()).collect::<BTreeSet<_>>(),
            pending
        );
        for transition in found {
            self.published.push(transition.presence.clone());
            self.announce(&transition).await;
        }
    }

    /// Compares what readers see.
    async fn check(&self) {
        let all: Vec<UserId> = USERS.iter().map(|name| user(name)).collect();
        let presences = self.presences.get(&all).await.unwrap();
        for (user, presence) in self.users.iter().zip(&presences) {
            let now = user.now(&self.all_leases);
            assert_eq!((presence.status, presence.connected), now, "{}", presence.user);
            if now == user.shown {
                assert_eq!(presence.at, user.last);
            } else {
                assert!(presence.at >= user.last);
            }
            let sessions = self.presences.sessions(&presence.user).await.unwrap();
            let held = user.sessions.values().filter(|lease| self.all_leases[**lease].1).count();
            assert_eq!(sessions.len(), held);
        }
        let online: BTreeSet<_> =
            self.presences.online(None, 100).await.unwrap().users.into_iter().map(String::from).collect();
        let shown = self.users.iter().zip(USERS).filter(|(user, _)| user.shown.0 != Status::Offline);
        assert_eq!(online, shown.map(|(_, name)| name.to_owned()).collect());
    }

    async fn end(mut self) {
        let heard = self.listener.heard(&self.world).await;
        let mut expected: BTreeMap<UserId, Vec<Presence>> = BTreeMap::new();
        for presence in self.published {
            expected.entry(presence.user.clone()).or_default().push(presence);
        }
        let mut published: BTreeMap<UserId, Vec<Presence>> = BTreeMap::new();
        for Announcement { presence, dialects } in &heard.announcements {
            assert_eq!(dialects, &["native"]);
            published.entry(presence.user.clone()).or_default().push(presence.clone());
        }
        assert_eq!(published, expected, "everybody is told of each transition, in order");
        let sorted = |mut told: Vec<(String, Presence)>| {
            told.sort_by(|one, other| {
                (&one.0, &one.1.user, one.1.at).cmp(&(&other.0, &other.1.user, other.1.at))
            });
            told
        };
        assert_eq!(sorted(heard.presences()), sorted(self.told), "and so are the conversations");
        for (lease, _) in &self.all_leases {
            expire(&self.leases, lease).await;
        }
        assert_nothing_is_left(&self.world, &self.leases).await;
        self.listener.close().await;
        self.world.clean_up().await;
    }
}

#[test]
fn every_sequence_of_steps_is_seen_and_told_as_in_the_model() {
    let runtime = tokio::runtime::Runtime::new().unwrap();
    let config = ProptestConfig { cases: 40, failure_persistence: None, ..ProptestConfig::default() };
    proptest!(config, |(steps in steps())| {
        runtime.block_on(async {
            let mut run = Run::new().await;
            for (step, repeats, announces) in &steps {
                run.take(step, *announces).await;
                if *repeats {
                    run.take(step, *announces).await;
                }
                run.check().await;
            }
            run.end().await;
        });
    });
}
