//! What requests and answers look like: types that the OpenAPI document is made from, and that nothing else uses. They
//! mirror the views of `parlance_domain` and of `dialect::view::reply`; tests hold answers against the document.

mod call;
mod conversation;
mod event;
mod list;
mod member;
mod message;
mod notification;
mod presence;
mod problem;
mod reaction;
mod receipt;
mod stats;
mod upload;
mod user;
mod value;

pub(super) use call::*;
pub(super) use conversation::*;
pub(super) use event::*;
pub(super) use list::*;
pub(super) use member::*;
pub(super) use message::*;
pub(super) use notification::*;
pub(super) use presence::*;
pub(super) use problem::*;
pub(super) use reaction::*;
pub(super) use receipt::*;
pub(super) use stats::*;
pub(super) use upload::*;
pub(super) use user::*;
pub(super) use value::*;
