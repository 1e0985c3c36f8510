//! The schema: bringing it up to date, and refusing to start on another one.

use sqlx::{Connection, PgConnection, migrate::Migrator, query_scalar};

use crate::{error::StoreError, store::Store};

static MIGRATIONS: Migrator = sqlx::migrate!("../migrations");

impl Store {
    /// Brings the schema up to date. Several processes may do it at once: they take turns.
    ///
    /// # Errors
    /// When Postgres is away, a migration fails (it is rolled back), or one that was applied has changed since.
    pub async fn migrate(&self) -> Result<(), StoreError> {
        let mut connection = self.unlimited().await?;
        let answer = MIGRATIONS.run(&mut connection).await.map_err(|error| match error {
            sqlx::migrate::MigrateError::Execute(error) => error.into(),
            error => StoreError::Schema(format!("the migrations cannot be applied: {error}")),
        });
        if let Err(error) = connection.close().await {
            tracing::debug!(%error, "postgres connection did not end cleanly");
        }
        answer
    }

    /// Whether every migration that this version knows is applied. Newer ones are accepted: during a deploy, old
    /// processes run beside a schema that is ahead of them.
    ///
    /// # Errors
    /// [`StoreError::Schema`] when one is missing; otherwise as every query.
    pub async fn check_schema(&self) -> Result<(), StoreError> {
        let applied = self.run("check_schema", applied).await?;
        let missing = MIGRATIONS.iter().find(|known| !applied.contains(&known.version));
        missing.map_or(Ok(()), |missing| {
            let name = &missing.description;
            Err(StoreError::Schema(format!(
                "the schema lacks migration {} ({name}): run `worker migrate` first",
                missing.version
            )))
        })
    }

    /// Records the layout of the partitions when there is no record, and compares it when there is. The text
    /// is the one that Redis holds too.
    ///
    /// # Errors
    /// [`StoreError::Layout`] when the record differs; otherwise as every query.
    pub async fn check_layout(&self, configured: &str) -> Result<(), StoreError> {
        let recorded: String = self
            .run("check_layout", async |connection| {
                sqlx::query("INSERT INTO layout (partitions) VALUES ($1) ON CONFLICT DO NOTHING")
                    .bind(configured)
                    .execute(&mut *connection)
                    .await?;
                Ok(query_scalar("SELECT partitions FROM layout").fetch_one(&mut *connection).await?)
            })
            .await?;
        if recorded == configured {
            return Ok(());
        }
        Err(StoreError::Layout { configured: configured.to_owned(), recorded })
    }
}

async fn applied(connection: &mut PgConnection) -> Result<Vec<i64>, StoreError> {
    let there: bool = query_scalar("SELECT to_regclass('_sqlx_migrations') IS NOT NULL")
        .fetch_one(&mut *connection)
        .await?;
    if !there {
        return Ok(Vec::new());
    }
    Ok(query_scalar("SELECT version FROM _sqlx_migrations WHERE success").fetch_all(&mut *connection).await?)
}
