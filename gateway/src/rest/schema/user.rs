//! Users.

use utoipa::{IntoParams, ToSchema};

use super::{Metadata, Timestamp, UserId};

/// A user as other users see them.
#[derive(ToSchema)]
#[serde(deny_unknown_fields)]
pub struct Profile {
    pub id: UserId,
    /// The name to show; the id when no name is known.
    pub name: String,
    /// Where a picture is.
    #[schema(nullable = false)]
    pub avatar: Option<String>,
    /// The role that the application gave the user.
    #[schema(nullable = false)]
    pub role: Option<String>,
}

/// Everything that is known of a user.
#[derive(ToSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct User {
    pub id: UserId,
    /// The name to show; the id when no name is known.
    pub name: String,
    #[schema(required)]
    pub username: Option<String>,
    /// Where a picture is.
    #[schema(required)]
    pub avatar: Option<String>,
    #[schema(required)]
    pub email: Option<String>,
    /// The role that the application gave the user.
    #[schema(required)]
    pub role: Option<String>,
    pub metadata: Metadata,
    /// When something of it last changed; null when nothing is stored.
    #[schema(required)]
    pub updated_at: Option<Timestamp>,
}

/// A user as the caller may read them.
#[derive(ToSchema)]
#[serde(untagged)]
pub enum ReadUser {
    Whole(User),
    Seen(Profile),
}

/// Everything that shall be known of a user: texts that are not blank and have no control characters.
#[derive(ToSchema)]
#[serde(deny_unknown_fields)]
pub struct NewUser {
    /// The name to show, at most 256 bytes.
    #[schema(min_length = 1, max_length = 256)]
    pub name: String,
    /// At most 128 bytes.
    #[schema(min_length = 1, max_length = 128)]
    pub username: Option<String>,
    /// Where a picture is, at most 2,048 bytes.
    #[schema(min_length = 1, max_length = 2048)]
    pub avatar: Option<String>,
    /// At most 320 bytes.
    #[schema(min_length = 1, max_length = 320)]
    pub email: Option<String>,
    /// At most 64 bytes.
    #[schema(min_length = 1, max_length = 64)]
    pub role: Option<String>,
    pub metadata: Option<Metadata>,
}

/// Users to be written.
#[derive(ToSchema)]
#[serde(deny_unknown_fields)]
pub struct UserImport {
    /// Each named once.
    #[schema(max_items = 500)]
    pub users: Vec<ImportedUser>,
}

/// One of many users.
#[derive(ToSchema)]
#[serde(deny_unknown_fields)]
pub struct ImportedUser {
    pub id: UserId,
    /// The name to show, at most 256 bytes.
    #[schema(min_length = 1, max_length = 256)]
    pub name: String,
    /// At most 128 bytes.
    #[schema(min_length = 1, max_length = 128)]
    pub username: Option<String>,
    /// Where a picture is, at most 2,048 bytes.
    #[schema(min_length = 1, max_length = 2048)]
    pub avatar: Option<String>,
    /// At most 320 bytes.
    #[schema(min_length = 1, max_length = 320)]
    pub email: Option<String>,
    /// At most 64 bytes.
    #[schema(min_length = 1, max_length = 64)]
    pub role: Option<String>,
    pub metadata: Option<Metadata>,
}

/// How many users were written.
#[derive(ToSchema)]
#[serde(deny_unknown_fields)]
pub struct UsersImported {
    /// Of how many nothing was known before.
    pub created: u64,
    /// How many were known.
    pub updated: u64,
}

/// Which tokens are to be revoked.
#[derive(ToSchema)]
#[serde(deny_unknown_fields)]
pub struct Revocation {
    /// Those that were issued before this moment; now, when it is left out. At most five minutes from now.
    pub before: Option<Moment>,
}

/// A point in time: in ISO 8601 with an offset, or in milliseconds since the Unix epoch.
#[derive(ToSchema)]
#[serde(untagged)]
pub enum Moment {
    Text(Timestamp),
    Milliseconds(Milliseconds),
}

/// Milliseconds since the Unix epoch.
#[derive(ToSchema)]
#[schema(minimum = 0, example = 1769851800000_i64)]
pub struct Milliseconds(i64);

/// Since when a user's tokens are in force.
#[derive(ToSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Revoked {
    pub user_id: UserId,
    /// Tokens that were issued before are refused.
    pub before: Timestamp,
}

/// A page of users.
#[derive(ToSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct UserPage {
    pub users: Vec<User>,
    /// What `cursor` is for the next page; null when there is none.
    #[schema(required)]
    pub next_cursor: Option<String>,
}

/// Which page of users.
#[derive(IntoParams)]
#[into_params(parameter_in = Query)]
pub struct UserQuery {
    /// `nextCursor` of the page before.
    pub cursor: Option<String>,
    /// At most this many.
    #[param(minimum = 1, maximum = 100, default = 50)]
    pub limit: Option<u64>,
}
