//! What a crash left in the outbox.

use parlance_domain::{
    conversation::ParticipantRole,
    id::{ConversationId, UserId},
    message::Metadata,
    user_event::UserEvent,
    version::Version,
};
use parlance_store::conversation::NewConversation;

use crate::{
    ear::Ear,
    world::{World, eventually},
};

#[tokio::test]
async fn events_that_a_crash_left_are_appended_and_stored() {
    let world = World::new().await;
    let id = ConversationId::new("c1").unwrap();
    let new = NewConversation {
        id: id.clone(),
        title: None,
        metadata: Metadata::default(),
        participants: vec![(UserId::new("anna").unwrap(), ParticipantRole::default())],
    };
    world.store.create_conversation(&new, None).await.unwrap();
    world.store.add_participant(&id, &UserId::new("ben").unwrap(), None, None).await.unwrap();
    world.sql("UPDATE outbox SET created_at = now() - interval '1 minute'").await;
    let mut ear = Ear::on(&world, [world.broker.keys().user_channel(&UserId::new("ben").unwrap())]).await;

    let worker = world.start(&[]).await;
    eventually("both events have their place and are stored", async || {
        match world.heads("c1").await.map(|heads| heads.version) {
            Some(version) if version == Version::new(1, 2) => Ok(()),
            other => Err(other),
        }
    })
    .await;
    assert_eq!(world.store.stale_outbox(std::time::Duration::ZERO, 10).await.unwrap(), []);
    let changes = world.store.participants_since(&id, Version::new(1, 0), 10).await.unwrap();
    let revs: Vec<u64> = changes.iter().map(|change| change.version.rev).collect();
    assert_eq!(revs, [1, 2]);
    let state = world.broker.state(&id).await.unwrap().unwrap();
    assert_eq!(state.acl.0, Version::new(1, 2), "both changed who may do what");
    // Who takes part hears how the conversation is, should the gateway that died have wanted that.
    let heard = loop {
        if let UserEvent::ConversationActivity(activity) = serde_json::from_str(&ear.next().await).unwrap() {
            break activity;
        }
    };
    assert_eq!(heard.conversation.participants.len(), 2);
    ear.end().await;
    worker.stop().await;
    world.clean_up().await;
}
