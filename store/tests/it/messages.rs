//! Reading messages.

use parlance_domain::{
    id::{MessageId, UserId},
    message::{Message, Place},
    version::{Heads, Seq, Version},
};
use parlance_store::{
    Store,
    changes::Bounds,
    message::{
        numbered::{Key, Numbered, Numbers},
        page::Span,
    },
};

use crate::{conversations::id, database::TestDatabase};

fn message_id(n: u8) -> MessageId {
    MessageId::new(1_700_000_000_000, [n; 8], 3)
}

/// Ten messages; the fourth was numbered again after Redis lost its number.
pub async fn ten_messages(store: &Store) {
    for n in 1..=10_u8 {
        store
            .run("test", async |connection| {
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
    let page = async |span, limit| {
        let found = store.history(&id("c1"), span, limit, 1 << 20).await.unwrap();
        (texts(&found.messages).into_iter().map(str::to_owned).collect::<Vec<_>>().join(" "), found.more)
    };
    let newest = Span::Before(Seq(u64::MAX));
    assert_eq!(page(newest, 3).await, ("text 8 text 9 text 10".to_owned(), true));
    assert_eq!(page(Span::Before(Seq(4)), 3).await, ("text 1 text 2 text 3".to_owned(), false));
    assert_eq!(page(Span::After(Seq(2)), 3).await, ("text 3 text 4 text 5".to_owned(), true));
    assert_eq!(page(Span::After(Seq(9)), 3).await, (String::new(), false));
    let nowhere = store.history(&id("c2"), newest, 3, 1 << 20).await.unwrap();
    assert!(nowhere.messages.is_empty() && !nowhere.more);
}

#[tokio::test]
async fn a_message_reads_back_as_it_was() {
    let (_database, store) = TestDatabase::migrated().await;
    ten_messages(&store).await;
    let found = store.history(&id("c1"), Span::After(Seq(0)), 1, 1 << 20).await.unwrap();
    let view = found.messages[0].view();
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
    let since = async |version, rows| {
        let (since, bounds) = (Heads { version, seq: Seq(0) }, Bounds { rows, bytes: 1 << 20 });
        let changes = store.changes_since(&id("c1"), since, Version::new(2, 1_000), bounds).await;
        changes.unwrap().messages.rows
    };
    assert_eq!(texts(&since(Version::new(1, 108), 10).await), ["text 9", "text 10"]);
    assert_eq!(texts(&since(Version::new(1, 100), 2).await), ["text 1", "text 2"]);
    assert_eq!(texts(&since(Version::new(2, 0), 10).await), ["text 10"]);
}

#[tokio::test]
async fn places_are_found_by_id() {
    let (_database, store) = TestDatabase::migrated().await;
    ten_messages(&store).await;
    let places = store.places(&[message_id(77), message_id(2)]).await.unwrap();
    assert_eq!(
        places,
        [Place { id: message_id(2), conversation: id("c1"), seq: Seq(2), sender: UserId::new("a").unwrap() }]
    );
}

#[tokio::test]
async fn messages_of_one_place_are_not_parted() {
    let (_database, store) = TestDatabase::migrated().await;
    ten_messages(&store).await;
    let page = async |span, limit| store.history(&id("c1"), span, limit, 1 << 20).await.unwrap();
    let newest = page(Span::Before(Seq(u64::MAX)), 1).await;
    assert_eq!((texts(&newest.messages), newest.more), (vec!["text 9", "text 10"], true));
    let last = page(Span::After(Seq(8)), 1).await;
    assert_eq!((texts(&last.messages), last.more), (vec!["text 9", "text 10"], false));
}

#[tokio::test]
async fn a_page_ends_with_the_place_that_takes_it_to_its_bytes() {
    let (_database, store) = TestDatabase::migrated().await;
    ten_messages(&store).await;
    // "text 1" has six bytes.
    let page = async |bytes| store.history(&id("c1"), Span::After(Seq(0)), 100, bytes).await.unwrap();
    for (bytes, count) in [(1, 1), (6, 1), (7, 2), (48, 8), (49, 10), (1_000, 10)] {
        let found = page(bytes).await;
        assert_eq!((found.messages.len(), found.more), (count, count < 10), "{bytes}");
    }
}

/// Every page of `limit` messages, put together.
async fn all_numbered(store: &Store, unpersisted: &[Key], limit: u64, newest_first: bool) -> Vec<Key> {
    let mut keys = Vec::new();
    loop {
        let numbers = Numbers { skip: keys.len() as u64, limit, newest_first };
        let page: Numbered = store.numbered(&id("c1"), unpersisted, numbers, 1 << 20).await.unwrap();
        let stored: Vec<Key> = page.stored.iter().map(|found| (found.seq, found.body.id)).collect();
        let wanted = page.keys.iter().filter(|key| stored.contains(key)).count();
        assert_eq!(wanted, stored.len(), "what is read is on the page");
        let total = page.total;
        keys.extend(page.keys);
        if keys.len() as u64 >= total {
            assert_eq!(keys.len() as u64, total);
            return keys;
        }
    }
}

#[tokio::test]
async fn numbered_pages_have_everything_once_wherever_the_unpersisted_ones_stand() {
    let (_database, store) = TestDatabase::migrated().await;
    ten_messages(&store).await;
    let stored: Vec<Key> = (1..=10).map(|n: u8| (Seq(u64::from(n.min(9))), message_id(n))).collect();
    let new = |seq: u64, n: u8| (Seq(seq), message_id(n));
    // At the end; in between, where a worker was faster than another; and with some that are stored by now.
    let cases: [Vec<Key>; 5] = [
        vec![],
        vec![new(10, 20), new(11, 21)],
        vec![new(1, 30), new(5, 31), new(9, 32)],
        vec![new(3, 3), new(9, 10), new(10, 20)],
        (40..60).map(|n| new(u64::from(n), n)).collect(),
    ];
    for unpersisted in cases {
        let mut expected: Vec<Key> = stored.iter().chain(&unpersisted).copied().collect();
        expected.sort_unstable();
        expected.dedup();
        for limit in [1, 2, 3, 7, 100] {
            let found = all_numbered(&store, &unpersisted, limit, false).await;
            assert_eq!(found, expected, "{limit} {unpersisted:?}");
            let mut found = all_numbered(&store, &unpersisted, limit, true).await;
            found.reverse();
            assert_eq!(found, expected, "newest first, {limit} {unpersisted:?}");
        }
    }
    let none = store
        .numbered(&id("c1"), &[], Numbers { skip: 50, limit: 5, newest_first: true }, 100)
        .await
        .unwrap();
    assert_eq!((none.keys, none.total), (vec![], 10));
}

#[tokio::test]
async fn a_conversation_without_a_hole_is_numbered_by_its_places() {
    let (_database, store) = TestDatabase::migrated().await;
    ten_messages(&store).await;
    // Without the one that was numbered again, from the third on: as after the conversation was deleted before.
    for sql in [
        "DELETE FROM messages WHERE epoch = 2 OR seq < 3",
        "INSERT INTO conversations (id, epoch, head_rev, head_seq) VALUES ('c1', 1, 109, 9)",
    ] {
        store.run("test", async |connection| Ok(sqlx::query(sql).execute(connection).await?)).await.unwrap();
    }
    let expected: Vec<Key> = (3..=9).map(|n: u8| (Seq(u64::from(n)), message_id(n))).collect();
    for limit in [1, 2, 5, 100] {
        assert_eq!(all_numbered(&store, &[], limit, false).await, expected);
    }
    // A hole, as a dead letter leaves it: places are not ranks any more.
    let hole = "DELETE FROM messages WHERE seq = 5";
    store.run("test", async |connection| Ok(sqlx::query(hole).execute(connection).await?)).await.unwrap();
    let expected: Vec<Key> = expected.into_iter().filter(|(seq, _)| seq.0 != 5).collect();
    for limit in [1, 2, 5, 100] {
        assert_eq!(all_numbered(&store, &[], limit, false).await, expected);
    }
}
