//! Uploaded files.

use utoipa::{IntoParams, ToSchema};

use super::{ConversationId, Timestamp, UserId};

/// An uploaded file: a UUID of version 7, in lower case with hyphens.
#[derive(ToSchema)]
#[schema(
    pattern = "^[0-9a-f]{8}-[0-9a-f]{4}-7[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}$",
    example = "0198c5f0-6c00-7c7e-8f2e-3a1b5c9d0001"
)]
pub struct UploadId(String);

/// A file that is stored.
#[derive(ToSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Upload {
    pub id: UploadId,
    /// Where it is read, below the address of this API.
    pub url: String,
    pub owner_id: UserId,
    /// Whose participants may read it; null: its sender alone.
    #[schema(required)]
    pub conversation_id: Option<ConversationId>,
    pub name: String,
    /// What its first bytes say that it is.
    pub content_type: String,
    /// In bytes.
    pub size: u64,
    pub created_at: Timestamp,
}

/// A file to be stored.
#[derive(ToSchema)]
#[serde(deny_unknown_fields)]
pub struct FileForm {
    /// Whose participants may read it; stands before the file.
    pub conversation: Option<ConversationId>,
    /// The file.
    #[schema(value_type = String, format = Binary)]
    pub file: Vec<u8>,
}

/// The file of a path.
#[derive(IntoParams)]
#[into_params(parameter_in = Path)]
pub struct OfUpload {
    /// The file's id.
    pub upload: UploadId,
}

/// A token where no header can stand.
#[derive(IntoParams)]
#[into_params(parameter_in = Query)]
pub struct TokenQuery {
    /// A user's token, when there is no `Authorization`.
    pub token: Option<String>,
}
