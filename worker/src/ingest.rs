//! From the streams to Postgres.
//!
//! ```text
//! reader (one a partition) ─┐
//!                           ├─▶ intake ─▶ writer (a few) ─▶ transaction ─▶ acknowledgement
//! claimer (one) ────────────┘   bounded     batch             └─▶ a bad entry alone: dead letter
//! ```

mod claimer;
mod decode;
mod held;
mod intake;
mod patience;
pub(crate) mod reader;
mod rows;
mod upsert;
mod writer;

pub(crate) use claimer::{Claimer, Holder};
pub(crate) use decode::{Fault, decode, heads};
pub(crate) use held::Held;
pub(crate) use intake::intake;
pub(crate) use reader::Reader;
pub(crate) use rows::Rows;
pub(crate) use upsert::{purge, raise_heads, write};
pub(crate) use writer::Writer;
