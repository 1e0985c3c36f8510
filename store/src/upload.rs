//! What is known of uploaded files. Their bytes are elsewhere.

use chrono::{DateTime, Utc};
use parlance_domain::{
    id::{ConversationId, UploadId, UserId},
    time::Timestamp,
    upload::Upload,
};
use sqlx::{query, query_as};
use uuid::Uuid;

use crate::{error::StoreError, row, store::Store};

impl Store {
    /// Notes a file that is stored under `path`.
    ///
    /// # Errors
    /// As every query.
    pub async fn insert_upload(&self, upload: &Upload, path: &str) -> Result<(), StoreError> {
        self.run("insert_upload", async |connection| {
            query(INSERT)
                .bind(upload.id.uuid())
                .bind(upload.owner.as_str())
                .bind(upload.conversation.as_ref().map(ConversationId::as_str))
                .bind(&upload.name)
                .bind(&upload.content_type)
                .bind(row::signed(upload.size))
                .bind(path)
                .bind(Timestamp(upload.created_at_ms).to_datetime())
                .execute(connection)
                .await?;
            Ok(())
        })
        .await
    }

    /// A file and where it is; `None` when there is none.
    ///
    /// # Errors
    /// As every query.
    pub async fn upload(&self, id: UploadId) -> Result<Option<(Upload, String)>, StoreError> {
        let found: Option<UploadRow> = self
            .run("upload", async |connection| {
                Ok(query_as(BY_ID).bind(id.uuid()).fetch_optional(connection).await?)
            })
            .await?;
        found.map(UploadRow::upload).transpose()
    }

    /// Forgets a file; says whether it was known.
    ///
    /// # Errors
    /// As every query.
    pub async fn delete_upload(&self, id: UploadId) -> Result<bool, StoreError> {
        let deleted = self
            .run("delete_upload", async |connection| {
                let deletion = query("DELETE FROM uploads WHERE id = $1").bind(id.uuid());
                Ok(deletion.execute(connection).await?.rows_affected())
            })
            .await?;
        Ok(deleted > 0)
    }
}

#[derive(sqlx::FromRow)]
struct UploadRow {
    id: Uuid,
    owner_id: String,
    conversation_id: Option<String>,
    name: String,
    content_type: String,
    size: i64,
    path: String,
    created_at: DateTime<Utc>,
}

impl UploadRow {
    fn upload(self) -> Result<(Upload, String), StoreError> {
        let owner: UserId = row::text("uploads.owner_id", self.owner_id)?;
        let conversation =
            self.conversation_id.map(|id| row::text("uploads.conversation_id", id)).transpose()?;
        let id = UploadId::try_from(self.id)
            .map_err(|problem| StoreError::Unexpected(format!("uploads.id {} {problem}", self.id)))?;
        let upload = Upload {
            id,
            owner,
            conversation,
            name: self.name,
            content_type: self.content_type,
            size: row::unsigned(self.size),
            created_at_ms: self.created_at.timestamp_millis(),
        };
        Ok((upload, self.path))
    }
}

const INSERT: &str = "
    INSERT INTO uploads (id, owner_id, conversation_id, name, content_type, size, path, created_at)
    VALUES ($1, $2, $3, $4, $5, $6, $7, $8)";

const BY_ID: &str = "
    SELECT id, owner_id, conversation_id, name, content_type, size, path, created_at FROM uploads WHERE id = $1";
