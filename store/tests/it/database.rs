//! A database of its own for each test; the worker's tests use it too.

use std::time::Duration;

use parlance_store::{Store, StoreConfig};
use sqlx::{AssertSqlSafe, Connection, PgConnection};

const VARIABLE: &str = "PARLANCE_TEST_DATABASE_URL";

/// A database that is dropped with this.
pub struct TestDatabase {
    maintenance: String,
    name: String,
}

impl TestDatabase {
    /// A database without tables.
    pub async fn empty() -> Self {
        let maintenance = required(VARIABLE);
        let name = format!("parlance_test_{:016x}", rand::random::<u64>());
        command(&maintenance, &format!("CREATE DATABASE {name}")).await.unwrap();
        Self { maintenance, name }
    }

    /// A database with the schema.
    pub async fn migrated() -> (Self, Store) {
        let database = Self::empty().await;
        let store = database.store().await;
        store.migrate().await.unwrap();
        (database, store)
    }

    /// Its URL.
    pub fn url(&self) -> String {
        let (server, _maintenance_database) = self.maintenance.rsplit_once('/').unwrap();
        format!("{server}/{}", self.name)
    }

    /// A store on it.
    pub async fn store(&self) -> Store {
        Store::connect(&StoreConfig {
            url: self.url(),
            name: "parlance-test",
            connections: 5,
            deadline: Duration::from_secs(10),
        })
        .await
        .unwrap()
    }
}

impl Drop for TestDatabase {
    fn drop(&mut self) {
        let (url, sql) = (self.maintenance.clone(), format!("DROP DATABASE {} WITH (FORCE)", self.name));
        // The test's own runtime may be on its way out.
        let dropped = std::thread::spawn(move || {
            let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
            runtime.block_on(command(&url, &sql))
        });
        if let Err(error) = dropped.join().unwrap() {
            eprintln!("the test database {} is left behind: {error}", self.name);
        }
    }
}

async fn command(url: &str, sql: &str) -> Result<(), sqlx::Error> {
    let mut connection = PgConnection::connect(url).await?;
    sqlx::query(AssertSqlSafe(sql)).execute(&mut connection).await?;
    connection.close().await
}

/// The value of a variable that tells where a server is.
pub fn required(name: &str) -> String {
    #[expect(
        clippy::disallowed_methods,
        reason = "tests are told by the environment where their servers are"
    )]
    let value = std::env::var(name);
    value.unwrap_or_else(|_| {
        panic!("{name} is not set: run `make test`, or set it to the URL of a server on which tests may do what they like")
    })
}
