//! Who users are to each other: what backends and tokens said of them.

use std::collections::HashMap;

use chrono::{DateTime, Utc};
use parlance_domain::{
    id::UserId,
    message::Metadata,
    time::Timestamp,
    user::{Profile, User},
};
use sqlx::{PgConnection, query_as, query_scalar, types::Json};

use crate::{error::StoreError, row, store::Store};

/// A user as he is stored.
#[derive(Debug, Clone, PartialEq)]
pub struct StoredUser {
    /// What is known of him.
    pub user: User,
    /// When something of it last changed.
    pub updated_at: Timestamp,
}

impl Store {
    /// Writes everything that is known of users, each named once: of all or of none. What a user has no longer is
    /// forgotten. Says how many were not known before.
    ///
    /// # Errors
    /// As every query.
    pub async fn put_users(&self, users: &[User]) -> Result<u64, StoreError> {
        // Rows are locked in one order, whatever the callers' are.
        let mut users: Vec<&User> = users.iter().collect();
        users.sort_unstable_by(|one, other| one.id.cmp(&other.id));
        let column = |field: fn(&User) -> Option<&str>| -> Vec<Option<&str>> {
            users.iter().map(|user| field(user)).collect()
        };
        let created: i64 = self
            .run("put_users", async |connection| {
                Ok(query_scalar(PUT)
                    .bind(users.iter().map(|user| user.id.as_str()).collect::<Vec<_>>())
                    .bind(column(|user| user.name.as_deref()))
                    .bind(column(|user| user.username.as_deref()))
                    .bind(column(|user| user.avatar.as_deref()))
                    .bind(column(|user| user.email.as_deref()))
                    .bind(column(|user| user.role.as_deref()))
                    .bind(users.iter().map(|user| Json(&user.metadata)).collect::<Vec<_>>())
                    .fetch_one(connection)
                    .await?)
            })
            .await?;
        Ok(row::unsigned(created))
    }

    /// What is known of a user; `None` when nothing is.
    ///
    /// # Errors
    /// As every query.
    pub async fn user(&self, id: &UserId) -> Result<Option<StoredUser>, StoreError> {
        let row: Option<FullRow> = self
            .run("user", async |connection| {
                let statement =
                    "SELECT id, name, username, avatar, email, role, metadata, updated_at FROM users WHERE id = $1";
                Ok(query_as(statement).bind(id.as_str()).fetch_optional(connection).await?)
            })
            .await?;
        row.map(FullRow::user).transpose()
    }

    /// Users in the order of their ids, after the one with the id `after`, at most `limit`.
    ///
    /// # Errors
    /// As every query.
    pub async fn users(&self, after: Option<&UserId>, limit: u64) -> Result<Vec<StoredUser>, StoreError> {
        let rows: Vec<FullRow> = self
            .run("users", async |connection| {
                Ok(query_as(USERS)
                    .bind(after.map(UserId::as_str))
                    .bind(row::signed(limit))
                    .fetch_all(connection)
                    .await?)
            })
            .await?;
        rows.into_iter().map(FullRow::user).collect()
    }

    /// Forgets what is known of a user; whether anything was. Where he takes part and what he said stays.
    ///
    /// # Errors
    /// As every query.
    pub async fn delete_user(&self, id: &UserId) -> Result<bool, StoreError> {
        self.run("delete_user", async |connection| {
            let deleted = sqlx::query("DELETE FROM users WHERE id = $1").bind(id.as_str());
            Ok(deleted.execute(connection).await?.rows_affected() > 0)
        })
        .await
    }

    /// Writes what a token says of its user, and returns all that is known. What the token leaves out stays as
    /// it is; a name that is the id is none.
    ///
    /// # Errors
    /// As every query.
    pub async fn upsert_user_claims(&self, claims: &Profile) -> Result<Profile, StoreError> {
        let known: Option<UserRow> = self
            .run("upsert_user_claims", async |connection| {
                Ok(query_as(UPSERT_CLAIMS)
                    .bind(claims.id.as_str())
                    .bind(&claims.name)
                    .bind(&claims.avatar)
                    .bind(&claims.role)
                    .fetch_optional(connection)
                    .await?)
            })
            .await?;
        known.map_or_else(|| Ok(claims.clone()), UserRow::profile)
    }

    /// When users were last seen, as far as that is known.
    ///
    /// # Errors
    /// As every query.
    pub async fn last_seen(&self, ids: &[UserId]) -> Result<HashMap<UserId, Timestamp>, StoreError> {
        let texts: Vec<&str> = ids.iter().map(UserId::as_str).collect();
        let statement = "SELECT id, last_seen_at FROM users WHERE id = ANY($1) AND last_seen_at IS NOT NULL";
        let rows: Vec<(String, DateTime<Utc>)> = self
            .run("last_seen", async |connection| {
                Ok(query_as(statement).bind(&texts).fetch_all(connection).await?)
            })
            .await?;
        rows.into_iter().map(|(id, at)| Ok((row::text("users.id", id)?, at.into()))).collect()
    }

    /// Writes when users were last seen, each named once, unless it is known that it was later. Of who is not known nothing
    /// is written: every user who connects is known, unless he was deleted since.
    ///
    /// # Errors
    /// As every query.
    pub async fn write_last_seen(&self, seen: &[(UserId, Timestamp)]) -> Result<(), StoreError> {
        let (ids, times): (Vec<&str>, Vec<DateTime<Utc>>) =
            seen.iter().map(|(id, at)| (id.as_str(), at.to_datetime())).unzip();
        self.run("write_last_seen", async |connection| {
            sqlx::query(WRITE_LAST_SEEN).bind(ids).bind(times).execute(connection).await?;
            Ok(())
        })
        .await
    }

    /// The profiles of users, in the order of the ids.
    ///
    /// # Errors
    /// As every query.
    pub async fn profiles(&self, ids: &[UserId]) -> Result<Vec<Profile>, StoreError> {
        self.run("profiles", async |connection| profiles(connection, ids).await).await
    }
}

/// The same within a transaction.
pub(crate) async fn profiles(
    connection: &mut PgConnection,
    ids: &[UserId],
) -> Result<Vec<Profile>, StoreError> {
    let texts: Vec<&str> = ids.iter().map(UserId::as_str).collect();
    let rows: Vec<UserRow> = query_as("SELECT id, name, avatar, role FROM users WHERE id = ANY($1)")
        .bind(&texts)
        .fetch_all(connection)
        .await?;
    let mut known: HashMap<UserId, Profile> = HashMap::with_capacity(rows.len());
    for row in rows {
        let profile = row.profile()?;
        known.insert(profile.id.clone(), profile);
    }
    Ok(ids.iter().map(|id| known.get(id).cloned().unwrap_or_else(|| Profile::unknown(id.clone()))).collect())
}

#[derive(sqlx::FromRow)]
struct UserRow {
    id: String,
    name: Option<String>,
    avatar: Option<String>,
    role: Option<String>,
}

impl UserRow {
    fn profile(self) -> Result<Profile, StoreError> {
        row::profile("users.id", self.id, self.name, self.avatar, self.role)
    }
}

#[derive(sqlx::FromRow)]
struct FullRow {
    id: String,
    name: Option<String>,
    username: Option<String>,
    avatar: Option<String>,
    email: Option<String>,
    role: Option<String>,
    metadata: Json<Metadata>,
    updated_at: DateTime<Utc>,
}

impl FullRow {
    fn user(self) -> Result<StoredUser, StoreError> {
        let Self { id, name, username, avatar, email, role, metadata, updated_at } = self;
        let id = row::text("users.id", id)?;
        let user = User { id, name, username, avatar, email, role, metadata: metadata.0 };
        Ok(StoredUser { user, updated_at: updated_at.into() })
    }
}

/// What is not changed is not written. A row that was inserted was not deleted or locked by anybody before.
const PUT: &str = "
    WITH written AS (
        INSERT INTO users AS u (id, name, username, avatar, email, role, metadata)
        SELECT * FROM UNNEST($1::text[], $2::text[], $3::text[], $4::text[], $5::text[], $6::text[], $7::jsonb[])
        ON CONFLICT (id) DO UPDATE SET
            name = EXCLUDED.name, username = EXCLUDED.username, avatar = EXCLUDED.avatar, email = EXCLUDED.email,
            role = EXCLUDED.role, metadata = EXCLUDED.metadata, updated_at = now()
        WHERE (u.name, u.username, u.avatar, u.email, u.role, u.metadata) IS DISTINCT FROM
            (EXCLUDED.name, EXCLUDED.username, EXCLUDED.avatar, EXCLUDED.email, EXCLUDED.role, EXCLUDED.metadata)
        RETURNING xmax = 0 AS is_new
    )
    SELECT count(*) FILTER (WHERE is_new) FROM written";

const USERS: &str = "
    SELECT id, name, username, avatar, email, role, metadata, updated_at FROM users
    WHERE $1::text IS NULL OR id > $1 ORDER BY id LIMIT $2";

/// Rows are locked in the order in which [`PUT`] writes them: that of their bytes.
const WRITE_LAST_SEEN: &str = r#"
    WITH seen AS (SELECT * FROM UNNEST($1::text[], $2::timestamptz[]) AS s (id, at)),
    older AS (
        SELECT u.id, s.at FROM users u JOIN seen s ON s.id = u.id
        WHERE u.last_seen_at IS NULL OR u.last_seen_at < s.at
        ORDER BY u.id COLLATE "C" FOR NO KEY UPDATE OF u)
    UPDATE users u SET last_seen_at = GREATEST(u.last_seen_at, older.at) FROM older WHERE older.id = u.id"#;

/// Connecting is frequent and claims rarely change: an unchanged row is not written.
const UPSERT_CLAIMS: &str = "
    WITH written AS (
        INSERT INTO users AS u (id, name, avatar, role) VALUES ($1, NULLIF($2::text, $1), $3, $4)
        ON CONFLICT (id) DO UPDATE SET
            name = COALESCE(EXCLUDED.name, u.name),
            avatar = COALESCE(EXCLUDED.avatar, u.avatar),
            role = COALESCE(EXCLUDED.role, u.role),
            updated_at = now()
        WHERE (u.name, u.avatar, u.role) IS DISTINCT FROM (
            COALESCE(EXCLUDED.name, u.name), COALESCE(EXCLUDED.avatar, u.avatar), COALESCE(EXCLUDED.role, u.role))
        RETURNING id, name, avatar, role
    )
    SELECT id, name, avatar, role FROM written
    UNION ALL
    SELECT id, name, avatar, role FROM users WHERE id = $1 AND NOT EXISTS (SELECT 1 FROM written)";
