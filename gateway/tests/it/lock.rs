//! Postgres made slow: a table that nobody can read or write for a while.

use parlance_store::Store;
use sqlx::{Connection, PgConnection};

use crate::app::{TestApp, eventually};

/// Holds a lock on a table of the test's database for as long as it lives.
pub struct Lock(PgConnection);

impl Lock {
    /// Takes the lock.
    pub async fn on(app: &TestApp, table: &str) -> Self {
        let mut connection = PgConnection::connect(&app.database_url()).await.unwrap();
        let lock = format!("BEGIN; LOCK TABLE {table} IN ACCESS EXCLUSIVE MODE");
        sqlx::raw_sql(sqlx::AssertSqlSafe(lock)).execute(&mut connection).await.unwrap();
        Self(connection)
    }

    /// Lets go of it.
    pub async fn release(self) {
        self.0.close().await.unwrap();
    }
}

/// Waits until this many statements wait for a lock.
pub async fn blocked(store: &Store, count: i64) {
    eventually("statements wait for the lock", async || {
        let waiting: i64 = store
            .run("test", async |connection| {
                let sql = "SELECT count(*) FROM pg_stat_activity WHERE wait_event_type = 'Lock' AND datname = current_database()";
                Ok(sqlx::query_scalar(sql).fetch_one(connection).await?)
            })
            .await
            .unwrap();
        (waiting >= count).then_some(())
    })
    .await;
}
