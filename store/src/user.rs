//! Who users are to each other: what backends and tokens said of them.

use std::collections::HashMap;

use parlance_domain::{id::UserId, user::Profile};
use sqlx::{PgConnection, query_as};

use crate::{error::StoreError, row, store::Store};

impl Store {
    /// Writes what a token says of its user, and returns all that is known. What the token leaves out stays as
    /// it is; a name that is the id is none.
    ///
    /// # Errors
    /// As every query.
    pub async fn upsert_user_claims(&self, claims: &Profile) -> Result<Profile, StoreError> {
        let known: Option<UserRow> = self
            .run(async |connection| {
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

    /// The profiles of users, in the order of the ids.
    ///
    /// # Errors
    /// As every query.
    pub async fn profiles(&self, ids: &[UserId]) -> Result<Vec<Profile>, StoreError> {
        self.run(async |connection| profiles(connection, ids).await).await
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
        let name = self.name.unwrap_or_else(|| self.id.clone());
        Ok(Profile { id: row::text("users.id", self.id)?, name, avatar: self.avatar, role: self.role })
    }
}

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
