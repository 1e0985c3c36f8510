//! Random commands on a few conversations, against a model in memory that was written from the design: who gets which
//! numbers, what is answered, and that the hot log, the ingest stream and the publications tell the same story.

mod conversation;

use std::collections::BTreeMap;

use fred::interfaces::HashesInterface;
use parlance_broker::{
    append::{Append, Appended},
    subscriber::{Inbox, Incoming, Subscriber},
};
use parlance_domain::{
    event::EventKind,
    id::{ConversationId, SessionId},
    version::Heads,
};
use proptest::{collection::vec, prelude::*};

use self::conversation::{Conversation, Expected};
use crate::world::{DEADLINE, Row, World, bytes_of, conversation, revs, size};

/// The first two share a partition.
const CONVERSATIONS: [&str; 3] = ["c2", "c6", "c3"];

#[derive(Debug, Clone)]
enum Step {
    /// A user sends; few client ids, so that many are repeated.
    Send { conversation: usize, user: usize, client_id: u8, authorised: Authorised, origin: bool },
    /// An event of the outbox; few rows, so that many are appended again.
    Change { conversation: usize, row: i64, kind: EventKind },
    /// Redis loses the state. Postgres has all of the events but the newest `unstored`.
    Lose { conversation: usize, unstored: usize },
    /// Redis restarts without the newest `lost` events; Postgres has all but the newest `unstored`.
    Restart { conversation: usize, lost: usize, unstored: usize },
    /// A join makes the state.
    Load { conversation: usize },
}

#[derive(Debug, Clone, Copy)]
enum Authorised {
    /// Needs no authorisation.
    Not,
    /// Under the acl that is in force, or was when Redis last knew.
    Now,
    /// Under the first acl that the conversation ever had.
    Before,
}

fn step() -> impl Strategy<Value = Step> {
    let conversation = 0..CONVERSATIONS.len();
    let authorised = prop_oneof![Just(Authorised::Not), Just(Authorised::Now), Just(Authorised::Before)];
    let membership = prop_oneof![
        Just(EventKind::ConversationCreated),
        Just(EventKind::ParticipantAdded),
        Just(EventKind::ParticipantRemoved),
    ];
    prop_oneof![
        10 => (conversation.clone(), 0..2_usize, 0..12_u8, authorised, any::<bool>()).prop_map(
            |(conversation, user, client_id, authorised, origin)| Step::Send {
                conversation, user, client_id, authorised, origin,
            }
        ),
        3 => (conversation.clone(), 0..12_i64, membership)
            .prop_map(|(conversation, row, kind)| Step::Change { conversation, row, kind }),
        1 => (conversation.clone(), 0..3_usize)
            .prop_map(|(conversation, unstored)| Step::Lose { conversation, unstored }),
        1 => (conversation.clone(), 0..3_usize, 0..3_usize)
            .prop_map(|(conversation, lost, unstored)| Step::Restart { conversation, lost, unstored }),
        1 => conversation.prop_map(|conversation| Step::Load { conversation }),
    ]
}

struct Run {
    world: World,
    ids: Vec<ConversationId>,
    model: Vec<Conversation>,
    subscriber: Subscriber,
    inbox: Inbox,
}

impl Run {
    async fn new() -> Self {
        let world = World::new().await;
        let ids: Vec<_> = CONVERSATIONS.iter().map(|id| conversation(id)).collect();
        let partition = |id: &ConversationId| world.broker.keys().partitions().of(id.as_str());
        assert_eq!(partition(&ids[0]), partition(&ids[1]));
        assert_ne!(partition(&ids[0]), partition(&ids[2]));
        let (subscriber, inbox) = Subscriber::connect(&world.broker).await.unwrap();
        for id in &ids {
            subscriber.subscribe(id).await.unwrap();
        }
        let model = ids.iter().map(|_| Conversation::default()).collect();
        Self { world, ids, model, subscriber, inbox }
    }

    async fn take(&mut self, step: &Step) {
        match *step {
            Step::Send { conversation, user, client_id, authorised, origin } => {
                let user = ["ann", "bob"][user];
                let text = format!("{user} {client_id}");
                let mut append =
                    self.world.message_of(user, &self.ids[conversation], &client_id.to_string(), &text);
                let model = &self.model[conversation];
                append.acl = match authorised {
                    Authorised::Not => None,
                    Authorised::Now => Some(model.last_acl),
                    Authorised::Before => Some(model.first_acl.unwrap_or_default()),
                };
                append.origin = origin.then(|| SessionId::new("session-1").unwrap());
                self.append(conversation, &append).await;
            }
            Step::Change { conversation, row, kind } => {
                // An outbox row is of one conversation.
                let row = row * CONVERSATIONS.len() as i64 + conversation as i64;
                let mut append = self.world.participant(&self.ids[conversation], row, kind);
                if kind == EventKind::ConversationCreated {
                    append.body =
                        format!(r#"{{"id":"{}","participants":[],"createdAtMs":1}}"#, self.ids[conversation]);
                }
                self.append(conversation, &append).await;
            }
            Step::Lose { conversation, unstored } => {
                if self.model[conversation].state.is_some() {
                    self.world.delete(self.world.broker.keys().state(&self.ids[conversation])).await;
                }
                self.model[conversation].lose(unstored);
            }
            Step::Restart { conversation, lost, unstored } => {
                if let Some(Heads { version, seq }) = self.model[conversation].restart(lost, unstored) {
                    let key = self.world.broker.keys().state(&self.ids[conversation]);
                    let fields = [
                        ("rev", version.rev.to_string()),
                        ("seq", seq.0.to_string()),
                        ("replid", "0".repeat(40)),
                    ];
                    let _: i64 = self.world.broker.client().hset(key, fields.to_vec()).await.unwrap();
                }
            }
            Step::Load { conversation } => {
                let model = &mut self.model[conversation];
                let loaded =
                    self.world.broker.load_state(&self.ids[conversation], model.floors).await.unwrap();
                assert_eq!(&loaded, model.load());
            }
        }
    }

    async fn append(&mut self, conversation: usize, append: &Append) {
        let model = &mut self.model[conversation];
        let (expected, asks) = model.append(append);
        let appended = if asks {
            self.world.append_from(append, model.floors).await
        } else {
            self.world.append_known(append).await
        };
        match (expected, appended) {
            (Expected::Exactly(expected), appended) => assert_eq!(appended, expected),
            (Expected::Repeat(Appended::Before { mark, header }), appended) => {
                assert_eq!(appended, Appended::Before { mark, header });
            }
            (Expected::Now { version, seq }, Appended::Now(header)) => {
                assert_eq!((header.version, header.seq.0), (version, seq));
                assert_eq!((header.kind, &header.origin), (append.kind, &append.origin));
                model.events.push((header.to_string(), append.body.clone()));
                model.history.push(model.state.as_ref().unwrap().heads);
                let reply = Appended::Before { mark: append.once.mark.clone(), header };
                model.replies.insert(append.once.key.clone(), reply);
            }
            (expected, appended) => panic!("expected {expected:?}, answered {appended:?}"),
        }
    }

    /// Compares everything that Redis holds, and what was published, with the model.
    async fn check(mut self) {
        self.check_publications().await;
        let world = &self.world;
        let mut ingested: BTreeMap<_, Vec<_>> = BTreeMap::new();
        for (id, model) in self.ids.iter().zip(&self.model) {
            let partition = world.broker.keys().partitions().of(id.as_str());
            ingested.entry(partition).or_default().push((id, model));
            assert_eq!(world.broker.state(id).await.unwrap(), model.state, "the state of {id}");
            let unsettled = world.unsettled_since(id).await;
            assert_eq!(unsettled.is_some(), !model.events.is_empty(), "{id} is unsettled once it has events");
            model.check_numbers();
            if model.state.is_none() {
                continue;
            }
            let log = world.hot_log(id).await;
            let told: Vec<_> = log.iter().map(|(_, row)| (row["h"].clone(), row["b"].clone())).collect();
            assert_eq!(told, model.events[model.before_log..], "the hot log of {id}");
            assert_eq!(world.log_bytes(id).await, bytes_of(&log, &["h", "b"]));
            let ingest: BTreeMap<_, _> = world.ingest(id).await.into_iter().collect();
            for (entry, row) in &log {
                assert_eq!(ingest[&row["i"]]["h"], row["h"], "{entry} names its ingest entry");
            }
        }
        for (partition, conversations) in ingested {
            let rows = world.stream(world.broker.keys().ingest(partition)).await;
            for (id, model) in &conversations {
                let own = rows.iter().filter(|(_, row)| row["c"] == id.as_str());
                let told: Vec<_> = own.map(|(_, row)| (row["h"].clone(), row["b"].clone())).collect();
                assert_eq!(told, model.events, "what is to be persisted of {id}");
            }
            let counted = size(&world.hash(world.broker.keys().ingest_size(partition)).await);
            assert_eq!(counted, (rows.len() as u64, bytes_of(&rows, &["c", "h", "b"])));
        }
        self.subscriber.close().await;
        world.clean_up().await;
    }

    async fn check_publications(&mut self) {
        let expected: usize = self.model.iter().map(|model| model.events.len()).sum();
        let mut published: BTreeMap<ConversationId, Vec<(String, String)>> = BTreeMap::new();
        for _ in 0..expected {
            let incoming = tokio::time::timeout(DEADLINE, self.inbox.next()).await.expect("in time");
            let Incoming::Published { conversation, payload, .. } = incoming else {
                panic!("no publication: {incoming:?}");
            };
            let (header, body) = payload.split_once('\n').unwrap();
            published.entry(conversation).or_default().push((header.to_owned(), body.to_owned()));
        }
        for (id, model) in self.ids.iter().zip(&self.model) {
            assert_eq!(published.remove(id).unwrap_or_default(), model.events, "the publications of {id}");
        }
    }
}

#[test]
fn every_sequence_of_commands_gives_the_numbers_and_answers_of_the_model() {
    let runtime = tokio::runtime::Runtime::new().unwrap();
    let config = ProptestConfig { cases: 48, failure_persistence: None, ..ProptestConfig::default() };
    proptest!(config, |(steps in vec(step(), 1..80))| {
        runtime.block_on(async {
            let mut run = Run::new().await;
            for step in &steps {
                run.take(step).await;
            }
            run.check().await;
        });
    });
}

/// The same promise where commands compete: nobody knows the order beforehand, but there is one.
#[test]
fn commands_that_compete_get_one_order_without_holes_and_each_only_one_place() {
    let runtime = tokio::runtime::Runtime::new().unwrap();
    runtime.block_on(async {
        let world = World::new().await;
        let id = conversation("busy");
        // Each of 200 messages is sent by three at once.
        let appends: Vec<_> = (0..200).map(|n| world.message(&id, &n.to_string())).collect();
        let answers = appends.iter().flat_map(|append| [append; 3]).map(|append| world.append(append));
        let answers = futures_util::future::join_all(answers).await;
        let mut seqs = Vec::new();
        for same in answers.chunks(3) {
            let first: Vec<_> = same.iter().filter(|answer| matches!(answer, Appended::Now(_))).collect();
            let [Appended::Now(first)] = first[..] else { panic!("{same:?}") };
            seqs.push(first.seq.0);
            for answer in same {
                if let Appended::Before { header, .. } = answer {
                    assert_eq!(header, first);
                }
            }
        }
        seqs.sort_unstable();
        assert_eq!(seqs, (1..=200).collect::<Vec<_>>());
        let log = world.hot_log(&id).await;
        let ingest = world.ingest(&id).await;
        assert_eq!(revs(&log), (1..=200).collect::<Vec<_>>());
        let headers = |rows: &[Row]| rows.iter().map(|(_, row)| row["h"].clone()).collect::<Vec<_>>();
        assert_eq!(headers(&log), headers(&ingest));
        world.clean_up().await;
    });
}
