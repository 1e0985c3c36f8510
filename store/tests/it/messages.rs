//! Reading messages.

use parlance_domain::{
    command::Page,
    id::MessageId,
    message::{Message, Place},
    version::{Seq, Version},
};
use parlance_store::Store;

use crate::{conversations::id, database::TestDatabase};

fn message_id(n: u8) -> MessageId {
    MessageId::new(1_700_000_000_000, [n; 8], 3)
}

/// Ten messages; the fourth was numbered again after Redis lost its number.
async fn ten_messages(store: &Store) {
    for n in 1..=10_u8 {
        store
            .run(async |connection| {
                sqlx::query(
                    "INSERT INTO messages (id, conversation_id, seq, epoch, created_rev, rev, sender_id, sender, type,
                        content, attachments, metadata, reply_to, client_id, created_at)
                     VALUES ($1, 'c1', $2, $3, $4, $4, 'a', '{\"id\":\"a\",\"name\":\"Anna\"}', 'text', $5,
                        '[{\"url\":\"x\"}]', '{\"k\":1.5}', $1, 'client', to_timestamp(1700000000.123))",
                )
                .bind(message_id(n).uuid())
                .bind(i64::from(n.min(9)))
                .bind(if n == 10 { 2_i64 } else { 1 })
                .bind(i64::from(n) + 100)
                .bind(format!("text {n}"))
                .execute(connection)
                .await?;
                Ok(())
            })
            .await
            .unwrap();
    }
}

fn texts(messages: &[Message]) -> Vec<&str> {
    messages.iter().map(|message| message.body.content.as_str()).collect()
}

#[tokio::test]
async fn pages_are_in_order_and_next_to_their_place() {
    let (_database, store) = TestDatabase::migrated().await;
    ten_messages(&store).await;
    let page = async |page| store.history(&id("c1"), page, 3, 1 << 20).await.unwrap();
    assert_eq!(texts(&page(Page::Newest).await), ["text 8", "text 9", "text 10"]);
    assert_eq!(texts(&page(Page::Before(Seq(4))).await), ["text 1", "text 2", "text 3"]);
    assert_eq!(texts(&page(Page::After(Seq(2))).await), ["text 3", "text 4", "text 5"]);
    assert_eq!(texts(&page(Page::After(Seq(9))).await), [""; 0]);
    assert_eq!(store.history(&id("c2"), Page::Newest, 3, 1 << 20).await.unwrap(), []);
}

#[tokio::test]
async fn a_message_reads_back_as_it_was() {
    let (_database, store) = TestDatabase::migrated().await;
    ten_messages(&store).await;
    let messages = store.history(&id("c1"), Page::After(Seq(0)), 1, 1 << 20).await.unwrap();
    let view = messages[0].view();
    assert_eq!(
        view,
        serde_json::json!({
            "id": message_id(1), "conversationId": "c1", "seq": 1, "offset": 101, "epoch": 1, "senderId": "a",
            "sender": {"id": "a", "name": "Anna"}, "type": "text", "content": "text 1", "status": "sent",
            "createdAt": "2023-11-14T22:13:20.123Z", "clientId": "client", "replyTo": message_id(1),
            "attachments": [{"url": "x"}], "metadata": {"k": 1.5},
        })
    );
}

#[tokio::test]
async fn changes_since_a_version_come_oldest_first_across_epochs() {
    let (_database, store) = TestDatabase::migrated().await;
    ten_messages(&store).await;
    let since = async |version, limit| store.messages_since(&id("c1"), version, limit).await.unwrap();
    assert_eq!(texts(&since(Version::new(1, 108), 10).await), ["text 9", "text 10"]);
    assert_eq!(texts(&since(Version::new(1, 100), 2).await), ["text 1", "text 2"]);
    assert_eq!(texts(&since(Version::new(2, 0), 10).await), ["text 10"]);
}

#[tokio::test]
async fn places_are_found_by_id() {
    let (_database, store) = TestDatabase::migrated().await;
    ten_messages(&store).await;
    let places = store.places(&[message_id(77), message_id(2)]).await.unwrap();
    assert_eq!(places, [Place { id: message_id(2), conversation: id("c1"), seq: Seq(2) }]);
}
