//! Reactions: decided where they get their place, from what the message's object holds.

use fred::interfaces::{HashesInterface, KeysInterface};
use futures_util::future::join_all;
use parlance_broker::{
    BrokerError,
    append::{
        Acl, Append, Appended, Appender, Floors, Object,
        reaction::{Reacted, Reacting, StoredReactions},
    },
    ingest::{Acknowledger, Persisted, StreamKind},
    objects::ObjectId,
};
use parlance_domain::{
    entry::{Envelope, Header},
    event::{Event, EventKind},
    id::{ClientId, ConversationId, MessageId, UserId},
    reaction::{Emoji, MAX_EMOJIS, MAX_REACTIONS, ReactionChange, Reactions, Reactor},
    version::{Seq, Version},
};
use proptest::{collection::vec, prelude::*};
use serde_json::json;

use crate::world::{KEEP, ROOMY, World, answering, conversation, now, stored};

/// A message in a world of its own.
struct Scene {
    world: World,
    conversation: ConversationId,
    message: MessageId,
    created: Append,
    version: Version,
    appender: Appender,
}

impl Scene {
    async fn new() -> Self {
        let world = World::new().await;
        let conversation = conversation("c");
        let created = world.message(&conversation, "hello");
        let version = now(world.append(&created).await).version;
        let ObjectId::Message(message) = created.object.as_ref().unwrap().id else { panic!("no message") };
        let appender = world.appender_within(ROOMY.entries, ROOMY.bytes);
        Self { world, conversation, message, created, version, appender }
    }

    fn reacting(&self, user: &str, emoji: &str, change: ReactionChange) -> Reacting {
        let body = json!({
            "message": self.message, "seq": 1, "user": {"id": user, "name": name(user)}, "emoji": emoji,
        });
        let attempt = ClientId::new(format!("{:x}", rand::random::<u128>())).unwrap();
        let user_id = UserId::new(user).unwrap();
        let key = self.world.broker.keys().once("react", &self.conversation, &user_id, &attempt);
        let append = Append {
            kind: EventKind::ReactionUpdated,
            body: format!("{},", body.to_string().strip_suffix('}').unwrap()),
            once: parlance_broker::append::Once { key, keep: KEEP, mark: "reaction".to_owned() },
            object: Some(Object { id: self.message.into(), expected: None, fields: Vec::new() }),
            ..self.created.clone()
        };
        let reactor = Reactor { id: user_id, name: name(user) };
        Reacting { append, change, emoji: Emoji::new(emoji).unwrap(), reactor, stored: None }
    }

    /// Reacts where nobody may ask for floors.
    async fn react(&self, reacting: &Reacting) -> Reacted {
        let floors =
            || -> std::future::Ready<Result<Floors, BrokerError>> { panic!("floors were asked for") };
        self.appender.react(reacting, floors).await.unwrap().0
    }

    async fn toggle(&self, user: &str, emoji: &str) -> Reacted {
        self.react(&self.reacting(user, emoji, ReactionChange::Toggle)).await
    }

    /// An edit of the message, decided on `expected`.
    async fn change(&self, kind: EventKind, expected: Version, more: &[(&'static str, &str)]) -> Appended {
        let edit = self.world.message(&self.conversation, &format!("{:x}", rand::random::<u64>()));
        let mut fields = vec![("sender", "u".to_owned()), ("seq", "1".to_owned())];
        fields.extend(more.iter().map(|(name, value)| (*name, (*value).to_owned())));
        let object = Some(Object { id: self.message.into(), expected: Some(expected), fields });
        self.world.append_known(&Append { kind, object, ..edit }).await
    }

    fn object(&self) -> String {
        self.world.broker.keys().object(self.message).unwrap()
    }

    /// What is known of the message when Postgres is asked.
    fn seeded(&self, mut reacting: Reacting, stored: &[(&str, &str, u64)]) -> Reacting {
        let stored: Vec<_> = stored
            .iter()
            .map(|(emoji, user, rev)| {
                let reactor = Reactor { id: UserId::new(*user).unwrap(), name: name(user) };
                (Emoji::new(*emoji).unwrap(), reactor, Version::new(1, *rev))
            })
            .collect();
        let stored = stored.iter().map(|(emoji, reactor, version)| (emoji, reactor, *version));
        reacting.stored = Some(StoredReactions::new(stored));
        reacting.append.object.as_mut().unwrap().fields =
            vec![("sender", "u".to_owned()), ("seq", "1".to_owned()), ("state", "1:1".to_owned())];
        reacting
    }
}

fn name(user: &str) -> String {
    format!("{} \"/\u{e9}\u{1F370}", user.to_uppercase())
}

/// Emoji with the ids of users.
fn told(Reactions(all): &Reactions) -> Vec<(String, Vec<String>)> {
    let users = |users: &[Reactor]| users.iter().map(|user| user.id.to_string()).collect();
    all.iter().map(|one| (one.emoji.to_string(), users(&one.users))).collect()
}

fn expected(all: &[(&str, &[&str])]) -> Vec<(String, Vec<String>)> {
    let texts = |users: &[&str]| users.iter().map(|user| (*user).to_owned()).collect();
    all.iter().map(|(emoji, users)| ((*emoji).to_owned(), texts(users))).collect()
}

/// Whether it came or went, and what there is.
fn placed(reacted: Reacted) -> (Header, bool, Vec<(String, Vec<String>)>) {
    match reacted {
        Reacted::Now(header, update) => (header, update.active, told(&update.reactions)),
        other => panic!("not now: {other:?}"),
    }
}

#[tokio::test]
async fn a_reaction_is_an_event_with_all_reactions_that_there_are_then() {
    let scene = Scene::new().await;
    let (header, active, all) = placed(scene.toggle("ann", "👍").await);
    assert_eq!(
        (header.kind, header.version, header.seq),
        (EventKind::ReactionUpdated, Version::new(1, 2), Seq(0))
    );
    assert!(active);
    assert_eq!(all, expected(&[("👍", &["ann"])]));
    let (_, _, all) = placed(scene.toggle("bob", "👍").await);
    assert_eq!(all, expected(&[("👍", &["ann", "bob"])]));
    let (_, _, all) = placed(scene.toggle("bob", ":/+\\\"").await);
    assert_eq!(all, expected(&[("👍", &["ann", "bob"]), (":/+\\\"", &["bob"])]));

    let logged = scene.world.broker.log_after(&scene.conversation, 3, 1).await.unwrap();
    let [Envelope { event: Event::ReactionUpdated(update), .. }] = &logged[..] else { panic!("{logged:?}") };
    assert_eq!((update.message, update.seq, update.active), (scene.message, Seq(1), true));
    assert_eq!((update.user.id.as_str(), &update.user.name), ("bob", &name("bob")));
    assert_eq!(told(&update.reactions), all);
    assert_eq!(update.reactions.0[0].users[0].name, name("ann"));
    let ingest = scene.world.ingest(&scene.conversation).await;
    let hot = scene.world.hot_log(&scene.conversation).await;
    for (entry, row) in ingest.iter().zip(&hot) {
        assert_eq!((&entry.1["h"], &entry.1["b"]), (&row.1["h"], &row.1["b"]));
    }
    scene.world.clean_up().await;
}

#[tokio::test]
async fn emoji_stand_in_the_order_of_those_who_have_them_now() {
    let scene = Scene::new().await;
    for (user, emoji) in [("ann", "a"), ("bob", "b"), ("cid", "a")] {
        scene.toggle(user, emoji).await;
    }
    let (_, active, all) = placed(scene.toggle("ann", "a").await);
    assert!(!active);
    assert_eq!(all, expected(&[("b", &["bob"]), ("a", &["cid"])]));
    let (_, _, all) = placed(scene.toggle("cid", "a").await);
    assert_eq!(all, expected(&[("b", &["bob"])]));
    assert_eq!(placed(scene.toggle("bob", "b").await).2, []);
    // An empty list stays one.
    assert_eq!(placed(scene.toggle("bob", "b").await).2, expected(&[("b", &["bob"])]));
    scene.world.clean_up().await;
}

#[tokio::test]
async fn to_add_what_is_there_and_to_remove_what_is_not_changes_nothing_and_tells_what_there_is() {
    let scene = Scene::new().await;
    scene.toggle("ann", "a").await;
    let before = scene.world.snapshot().await;
    for (user, change, there) in [("ann", ReactionChange::Add, true), ("bob", ReactionChange::Remove, false)]
    {
        match scene.react(&scene.reacting(user, "a", change)).await {
            Reacted::Unchanged { active, reactions } => {
                assert_eq!((active, told(&reactions)), (there, expected(&[("a", &["ann"])])));
            }
            other => panic!("{other:?}"),
        }
    }
    assert_eq!(scene.world.snapshot().await, before);
    assert!(placed(scene.react(&scene.reacting("bob", "a", ReactionChange::Add)).await).1);
    assert!(!placed(scene.react(&scene.reacting("ann", "a", ReactionChange::Remove)).await).1);
    scene.world.clean_up().await;
}

#[tokio::test]
async fn a_hundred_who_react_at_once_all_count() {
    let scene = Scene::new().await;
    let all: Vec<_> =
        (0..100).map(|n| scene.reacting(&format!("u{n}"), "a", ReactionChange::Toggle)).collect();
    let reacted = join_all(all.iter().map(|reacting| scene.react(reacting))).await;
    let mut counts: Vec<_> = reacted.into_iter().map(|one| placed(one).2[0].1.len()).collect();
    counts.sort_unstable();
    assert_eq!(counts, (1..=100).collect::<Vec<_>>());
    scene.world.clean_up().await;
}

#[tokio::test]
async fn a_repeated_reaction_is_the_first_one() {
    let scene = Scene::new().await;
    let on = scene.reacting("ann", "a", ReactionChange::Toggle);
    let (first, ..) = placed(scene.react(&on).await);
    let off = scene.reacting("ann", "a", ReactionChange::Toggle);
    let (second, ..) = placed(scene.react(&off).await);
    let before = scene.world.hot_log(&scene.conversation).await;
    assert_eq!(scene.react(&on).await, Reacted::Before { active: true, header: first });
    assert_eq!(scene.react(&off).await, Reacted::Before { active: false, header: second });
    assert_eq!(scene.world.hot_log(&scene.conversation).await, before);
    scene.world.clean_up().await;
}

#[tokio::test]
async fn an_edit_is_not_stale_because_of_a_reaction_and_keeps_the_reactions() {
    let scene = Scene::new().await;
    scene.toggle("ann", "a").await;
    let object = scene.world.broker.object(scene.message).await.unwrap().unwrap();
    assert_eq!(object.version, scene.version);
    let edited = now(scene.change(EventKind::MessageEdited, scene.version, &[]).await).version;
    assert_eq!(scene.world.broker.object(scene.message).await.unwrap().unwrap().version, edited);
    assert_eq!(scene.change(EventKind::MessageEdited, scene.version, &[]).await, Appended::Stale);
    let (_, _, all) = placed(scene.toggle("bob", "a").await);
    assert_eq!(all, expected(&[("a", &["ann", "bob"])]));
    scene.world.clean_up().await;
}

#[tokio::test]
async fn nobody_reacts_to_what_was_taken_back() {
    let scene = Scene::new().await;
    scene.toggle("ann", "a").await;
    let deleted = [("deleted", "1"), ("reactions", "")];
    now(scene.change(EventKind::MessageDeleted, scene.version, &deleted).await);
    assert!(scene.world.broker.object(scene.message).await.unwrap().unwrap().deleted);
    let before = scene.world.snapshot().await;
    for change in [ReactionChange::Toggle, ReactionChange::Add, ReactionChange::Remove] {
        let reacting = scene.seeded(scene.reacting("ann", "a", change), &[]);
        assert_eq!(scene.react(&reacting).await, Reacted::Gone);
    }
    assert_eq!(scene.world.snapshot().await, before);
    scene.world.clean_up().await;
}

#[tokio::test]
async fn what_redis_does_not_hold_is_asked_for_and_then_goes_on() {
    let scene = Scene::new().await;
    scene.world.delete(scene.object()).await;
    let before = scene.world.snapshot().await;
    let reacting = scene.reacting("ann", "a", ReactionChange::Toggle);
    assert_eq!(scene.react(&reacting).await, Reacted::Unloaded { behind: false });
    assert_eq!(scene.world.snapshot().await, before);
    let reacting = scene.seeded(reacting, &[("b", "bob", 2), ("a", "bob", 3)]);
    let (_, active, all) = placed(scene.react(&reacting).await);
    assert!(active);
    assert_eq!(all, expected(&[("b", &["bob"]), ("a", &["bob", "ann"])]));
    let object = scene.world.broker.object(scene.message).await.unwrap().unwrap();
    assert_eq!((object.place.seq, object.version), (Seq(1), Version::new(1, 1)));
    assert_eq!(scene.world.ttl(scene.object()).await, -1);
    // What another one read before does not count any more.
    let late = scene.seeded(scene.reacting("cid", "a", ReactionChange::Toggle), &[]);
    let (_, _, all) = placed(scene.react(&late).await);
    assert_eq!(all, expected(&[("b", &["bob"]), ("a", &["bob", "ann", "cid"])]));
    scene.world.clean_up().await;
}

#[tokio::test]
async fn an_object_that_an_edit_made_again_does_not_claim_that_there_are_no_reactions() {
    let scene = Scene::new().await;
    scene.world.delete(scene.object()).await;
    let edited = now(scene.change(EventKind::MessageEdited, scene.version, &[]).await).version;
    let reacting = scene.reacting("ann", "a", ReactionChange::Toggle);
    assert_eq!(scene.react(&reacting).await, Reacted::Unloaded { behind: false });
    let (_, _, all) = placed(scene.react(&scene.seeded(reacting, &[("a", "bob", 2)])).await);
    assert_eq!(all, expected(&[("a", &["bob", "ann"])]));
    let object = scene.world.broker.object(scene.message).await.unwrap().unwrap();
    assert_eq!(object.version, edited, "the older state that was read with the reactions is not written");
    scene.world.clean_up().await;
}

#[tokio::test]
async fn after_a_restart_reactions_are_read_again_and_what_was_read_before_it_does_not_count() {
    let scene = Scene::new().await;
    scene.toggle("ann", "a").await;
    let state = scene.world.broker.keys().state(&scene.conversation);
    let _: i64 = scene.world.broker.client().hset(&state, ("replid", "0")).await.unwrap();
    let reacting = scene.seeded(scene.reacting("bob", "b", ReactionChange::Toggle), &[]);
    let floors = answering(stored(1, 7, 1));
    let (reacted, _) = scene.appender.react(&reacting, floors).await.unwrap();
    assert_eq!(reacted, Reacted::Unloaded { behind: true });
    let reacting = scene.seeded(reacting, &[("a", "ann", 2), ("c", "cid", 7)]);
    let (header, _, all) = placed(scene.react(&reacting).await);
    assert_eq!(header.version, Version::new(2, 8));
    assert_eq!(all, expected(&[("a", &["ann"]), ("c", &["cid"]), ("b", &["bob"])]));
    assert_eq!(placed(scene.toggle("cid", "c").await).2, expected(&[("a", &["ann"]), ("b", &["bob"])]));
    scene.world.clean_up().await;
}

#[tokio::test]
async fn a_message_has_so_many_emoji_and_so_many_reactions_and_no_more() {
    let scene = Scene::new().await;
    let emoji: Vec<String> = (0..MAX_EMOJIS).map(|n| format!("e{n}")).collect();
    for one in &emoji {
        placed(scene.toggle("ann", one).await);
    }
    let before = scene.world.snapshot().await;
    assert_eq!(scene.toggle("bob", "another").await, Reacted::LimitReached);
    assert_eq!(scene.world.snapshot().await, before);
    placed(scene.toggle("bob", &emoji[7]).await);
    placed(scene.toggle("ann", &emoji[0]).await);
    placed(scene.toggle("bob", "another").await);

    scene.world.delete(scene.object()).await;
    let users: Vec<String> = (0..MAX_REACTIONS).map(|n| format!("u{n}")).collect();
    let full: Vec<(&str, &str, u64)> = users.iter().zip(1..).map(|(user, rev)| ("a", &**user, rev)).collect();
    for (user, emoji) in [("bob", "a"), ("bob", "b"), ("u0", "b")] {
        let one_more = scene.seeded(scene.reacting(user, emoji, ReactionChange::Toggle), &full);
        assert_eq!(scene.react(&one_more).await, Reacted::LimitReached);
    }
    let one_less = scene.seeded(scene.reacting("u0", "a", ReactionChange::Toggle), &full);
    assert_eq!(placed(scene.react(&one_less).await).2[0].1.len(), MAX_REACTIONS - 1);
    placed(scene.toggle("bob", "b").await);
    scene.world.clean_up().await;
}

#[tokio::test]
async fn a_reaction_is_refused_like_every_append() {
    let scene = Scene::new().await;
    let before = scene.world.snapshot().await;
    let mut old = scene.reacting("ann", "a", ReactionChange::Toggle);
    old.append.acl = Some(Acl(Version::new(0, 1)));
    assert!(matches!(scene.react(&old).await, Reacted::Reauthorize(_)));
    let full = scene.world.appender_within(1, ROOMY.bytes);
    let reacting = scene.reacting("ann", "a", ReactionChange::Toggle);
    let (reacted, _) = full.react(&reacting, answering(Floors::default())).await.unwrap();
    assert_eq!(reacted, Reacted::Overloaded);
    assert_eq!(scene.world.snapshot().await, before);
    scene.world.clean_up().await;
}

#[tokio::test]
async fn an_object_lives_until_its_reactions_are_persisted_too() {
    let scene = Scene::new().await;
    let (reacted, ..) = placed(scene.toggle("ann", "a").await);
    let ingest = scene.world.ingest(&scene.conversation).await;
    let acknowledger = Acknowledger::new(scene.world.broker.clone());
    let partition = scene.world.broker.keys().partitions().of("c");
    for ((entry, version), lives) in ingest.iter().zip([scene.version, reacted.version]).zip([-1, 3_600]) {
        let object = Some((scene.message.into(), version));
        let persisted = Persisted { id: entry.0.parse().unwrap(), size: 1, object };
        acknowledger.acknowledge(partition, StreamKind::Ingest, &[persisted]).await.unwrap();
        assert_eq!(scene.world.ttl(scene.object()).await, lives);
    }
    scene.world.clean_up().await;
}

/// Changes by few users with few emoji, and objects that are lost, against a list in memory.
#[test]
fn every_sequence_of_reactions_gives_what_a_list_of_them_gives() {
    let change = prop_oneof![
        Just(Some(ReactionChange::Toggle)),
        Just(Some(ReactionChange::Toggle)),
        Just(Some(ReactionChange::Add)),
        Just(Some(ReactionChange::Remove)),
        Just(None),
    ];
    let runtime = tokio::runtime::Runtime::new().unwrap();
    let config = ProptestConfig { cases: 24, failure_persistence: None, ..ProptestConfig::default() };
    proptest!(config, |(steps in vec((0..4_usize, 0..3_usize, change), 1..60))| {
        runtime.block_on(follow(&steps));
    });
}

async fn follow(steps: &[(usize, usize, Option<ReactionChange>)]) {
    let scene = Scene::new().await;
    // Emoji, user and rev, in the order in which they came.
    let mut model: Vec<(&str, &str, u64)> = Vec::new();
    let mut rev = scene.version.rev;
    for (user, emoji, change) in steps {
        let (user, emoji) = (["ann", "bob", "cid", "dot"][*user], ["a", "b", "c"][*emoji]);
        let Some(change) = *change else {
            scene.world.delete(scene.object()).await;
            continue;
        };
        let reacting = scene.seeded(scene.reacting(user, emoji, change), &model);
        let there = model.iter().position(|(e, u, _)| (*e, *u) == (emoji, user));
        let adds = match change {
            ReactionChange::Toggle => there.is_none(),
            ReactionChange::Add => true,
            ReactionChange::Remove => false,
        };
        let changes = adds == there.is_none();
        if changes {
            rev += 1;
            match there {
                Some(place) => drop(model.remove(place)),
                None => model.push((emoji, user, rev)),
            }
        }
        let all = match scene.react(&reacting).await {
            Reacted::Now(header, update) => {
                assert!(changes);
                assert_eq!((header.version.rev, update.active), (rev, adds));
                update.reactions
            }
            Reacted::Unchanged { active, reactions } => {
                assert!(!changes);
                assert_eq!(active, adds);
                reactions
            }
            other => panic!("{other:?}"),
        };
        let mut expected: Vec<(String, Vec<String>)> = Vec::new();
        for (emoji, user, _) in &model {
            match expected.iter_mut().find(|(known, _)| known == emoji) {
                Some((_, users)) => users.push((*user).to_owned()),
                None => expected.push(((*emoji).to_owned(), vec![(*user).to_owned()])),
            }
        }
        assert_eq!(told(&all), expected);
    }
    scene.world.clean_up().await;
}

#[tokio::test]
async fn nothing_changes_any_more_of_what_went_with_its_conversation() {
    let scene = Scene::new().await;
    let deleted = Append::from_outbox(
        scene.world.broker.keys(),
        7,
        scene.conversation.clone(),
        EventKind::ConversationDeleted,
        "{}".to_owned(),
        None,
    );
    let deletion = now(scene.world.append_known(&deleted).await).version;
    let standing = scene.world.broker.standing(&scene.conversation).await.unwrap();
    assert_eq!((standing.epoch, standing.deleted), (1, deletion));
    assert_eq!(scene.toggle("ann", "a").await, Reacted::Gone);
    assert_eq!(scene.change(EventKind::MessageEdited, scene.version, &[]).await, Appended::Stale);
    // Postgres may still have it when Redis has not.
    let _: u64 = scene.world.broker.client().del(scene.object()).await.unwrap();
    let late = scene.seeded(scene.reacting("ann", "a", ReactionChange::Add), &[]);
    assert_eq!(scene.react(&late).await, Reacted::Gone);
    scene.world.clean_up().await;
}
