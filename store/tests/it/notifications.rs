//! What messages make of notifications.

use std::{collections::HashMap, time::Duration};

use parlance_domain::id::MessageId;
use parlance_store::Store;
use sqlx::{Connection, PgConnection};

use crate::database::TestDatabase;

/// A message of Ann in `c`, of which Bob is to be notified.
async fn scene(store: &Store) {
    let id = MessageId::new(1_700_000_000_000, [1; 8], 3).uuid();
    for sql in [
        "INSERT INTO conversations (id, created_at) SELECT 'c', now() WHERE $1::uuid IS NOT NULL",
        "INSERT INTO participants (conversation_id, user_id, joined_at)
         SELECT 'c', member, now() FROM UNNEST(ARRAY['ann', 'bob']) member WHERE $1::uuid IS NOT NULL",
        "INSERT INTO messages (id, conversation_id, seq, epoch, created_rev, rev, sender_id, sender, type, content,
            created_at) VALUES ($1, 'c', 1, 1, 2, 2, 'ann', '{\"id\": \"ann\", \"name\": \"ann\"}', 'text', 'x', now())",
        "INSERT INTO notification_jobs (message_id, policy) VALUES ($1, 'always')",
    ] {
        store.run("test", async |connection| Ok(sqlx::query(sql).bind(id).execute(connection).await?)).await.unwrap();
    }
}

/// Waits until somebody waits for a lock in this database.
async fn somebody_waits(connection: &mut PgConnection) {
    let sql = "SELECT count(*) FROM pg_stat_activity WHERE datname = current_database() AND wait_event_type = 'Lock'";
    let waits = async {
        while sqlx::query_scalar::<_, i64>(sql).fetch_one(&mut *connection).await.unwrap() == 0 {
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    };
    tokio::time::timeout(Duration::from_secs(10), waits).await.unwrap();
}

#[tokio::test]
async fn nobody_is_notified_of_what_is_deleted_meanwhile() {
    let (database, store) = TestDatabase::migrated().await;
    scene(&store).await;
    let jobs = store.notification_jobs(10).await.unwrap();
    assert_eq!(jobs.len(), 1);
    // Its deletion has begun, and is not committed yet.
    let mut deleting = PgConnection::connect(&database.url()).await.unwrap();
    let mut transaction = deleting.begin().await.unwrap();
    let delete = "UPDATE conversations SET deleted_at = now() WHERE id = 'c'";
    sqlx::query(delete).execute(&mut *transaction).await.unwrap();
    let here = HashMap::new();
    let make = store.make_notifications(&jobs, &here);
    let commit = async {
        somebody_waits(&mut PgConnection::connect(&database.url()).await.unwrap()).await;
        transaction.commit().await.unwrap();
    };
    let (made, ()) = tokio::join!(make, commit);
    assert_eq!(made.unwrap(), 0);
    assert_eq!(store.waiting_notification_jobs().await.unwrap(), 0);
}
