//! Where a message is, from its id alone.

use parlance_broker::append::Append;
use parlance_domain::{
    id::{ConversationId, MessageId},
    message::Place,
    version::Seq,
};

use crate::world::{World, conversation, now};

fn message_id(append: &Append) -> MessageId {
    append.object.as_ref().unwrap().id
}

fn place(append: &Append, conversation: &ConversationId, seq: u64) -> Place {
    Place { id: message_id(append), conversation: conversation.clone(), seq: Seq(seq) }
}

#[tokio::test]
async fn a_message_is_found_from_its_id_as_soon_as_it_is_appended() {
    let world = World::new().await;
    let (one, other) = (conversation("c2"), conversation("c3"));
    let appends = [world.message(&one, "1"), world.message(&one, "2"), world.message(&other, "1")];
    for append in &appends {
        now(world.append(append).await);
    }
    let ids: Vec<_> = appends.iter().map(message_id).collect();
    let expected = [place(&appends[0], &one, 1), place(&appends[1], &one, 2), place(&appends[2], &other, 1)];
    assert_eq!(world.broker.objects(&ids).await.unwrap(), expected);
    world.clean_up().await;
}

#[tokio::test]
async fn an_object_holds_what_is_known_of_its_message_and_does_not_expire_by_itself() {
    let world = World::new().await;
    let id = conversation("c");
    let append = world.message(&id, "1");
    let header = now(world.append(&append).await);
    let key = world.broker.keys().object(message_id(&append)).unwrap();
    let object = world.hash(key.clone()).await;
    let expected = [
        ("conv", "c".to_owned()),
        ("epoch", header.version.epoch.to_string()),
        ("rev", header.version.rev.to_string()),
        ("sender", "u".to_owned()),
        ("seq", "1".to_owned()),
    ];
    assert_eq!(object, expected.map(|(name, value)| (name.to_owned(), value)).into());
    assert_eq!(world.ttl(key).await, -1);
    world.clean_up().await;
}

#[tokio::test]
async fn ids_of_messages_that_there_are_not_are_left_out() {
    let world = World::new().await;
    let id = conversation("c");
    let append = world.message(&id, "1");
    now(world.append(&append).await);
    let partition = world.broker.keys().partitions().of(id.as_str()).0;
    let nobody = MessageId::new(1, [9; 8], partition);
    let invented = MessageId::new(1, [9; 8], 60_000);
    let found = world.broker.objects(&[nobody, message_id(&append), invented]).await.unwrap();
    assert_eq!(found, [place(&append, &id, 1)]);
    assert_eq!(world.broker.objects(&[]).await.unwrap(), []);
    world.clean_up().await;
}

#[tokio::test]
async fn a_repeated_command_makes_no_second_object() {
    let world = World::new().await;
    let id = conversation("c");
    let (first, again) = (world.message(&id, "1"), world.message(&id, "1"));
    now(world.append(&first).await);
    world.append_known(&again).await;
    assert_eq!(world.broker.objects(&[message_id(&again)]).await.unwrap(), []);
    world.clean_up().await;
}
