//! Uploaded files: what is known of one, and how far one that is on its way has come.

use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use crate::{
    id::{ConversationId, UploadId, UserId},
    time::Timestamp,
};

/// A file that is stored.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Upload {
    /// Its id.
    pub id: UploadId,
    /// Who sent it.
    pub owner: UserId,
    /// The conversation whose participants may read it; none: only its owner.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub conversation: Option<ConversationId>,
    /// What the sender called it.
    pub name: String,
    /// What its first bytes say that it is, a media type.
    pub content_type: String,
    /// How many bytes it has.
    pub size: u64,
    /// When it was complete.
    pub created_at_ms: i64,
}

impl Upload {
    /// Where it is read.
    pub fn url(&self) -> String {
        format!("/v1/uploads/{}", self.id)
    }

    /// The canonical view.
    pub fn view(&self) -> Value {
        json!({
            "id": self.id,
            "url": self.url(),
            "ownerId": self.owner,
            "conversationId": self.conversation,
            "name": self.name,
            "contentType": self.content_type,
            "size": self.size,
            "createdAt": Timestamp(self.created_at_ms),
        })
    }
}

/// How far an upload has come.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct UploadProgress {
    /// Which.
    pub id: UploadId,
    /// How many bytes have arrived.
    pub received: u64,
    /// How many bytes the request has, when it says so: a little more than the file.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub total: Option<u64>,
}

impl UploadProgress {
    /// The canonical view.
    pub fn view(&self) -> Value {
        json!({"uploadId": self.id, "received": self.received, "total": self.total})
    }
}
