//! What all answers of the public port have in common, whatever gives them: which web pages may read them, what browsers
//! must not do with them, and that long ones are compressed. What is answered is no business of this module.

mod compression;
pub mod cors;
mod headers;
pub mod origins;

use std::time::Duration;

use axum::Router;

pub use compression::is_encoded;
pub(crate) use compression::plain_tag;

/// Puts everything around the routes but CORS, which differs between them. `hsts` is how long browsers shall insist on
/// TLS.
pub fn around(routes: Router, hsts: Option<Duration>) -> Router {
    headers::secure(compression::compressed(routes), hsts)
}
