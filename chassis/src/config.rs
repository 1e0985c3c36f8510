//! One way to configure both binaries.
//!
//! A crate declares each [`Setting`] once (key, doc, default, environment names) beside the plain struct of its
//! section, and reads the struct through a [`Reader`]. The values come, weakest first, from the default, a TOML
//! file, and the environment. All mistakes are reported together, each with its key and where it stands.
//!
//! ```
//! use parlance_chassis::config::{self, Environment, Invalid, Reader, Schema, Setting, Sources, parse};
//!
//! const LIMIT: Setting = Setting::new("demo.limit", "How many there may be.").default("8");
//!
//! struct Demo {
//!     limit: u32,
//! }
//!
//! impl Demo {
//!     const SETTINGS: &[Setting] = &[LIMIT];
//!
//!     fn read(reader: &mut Reader<'_>) -> Result<Self, Invalid> {
//!         let limit = reader.require(&LIMIT, parse::number(1..=64));
//!         Ok(Self { limit: limit? })
//!     }
//! }
//!
//! let schema = Schema::new(&[Demo::SETTINGS]);
//! let sources = Sources::new(None, Environment::from_pairs([("PARLANCE__DEMO__LIMIT", "9")]));
//! let demo = config::read(&schema, &sources, Demo::read)?;
//! assert_eq!(demo.limit, 9);
//! # Ok::<(), parlance_chassis::config::ConfigErrors>(())
//! ```

mod document;
mod environment;
mod mistake;
pub mod parse;
mod reader;
mod render;
mod schema;
pub mod sections;
mod setting;
mod sources;
mod suggest;
pub mod well_known;

pub use document::Document;
pub use environment::Environment;
pub use mistake::{ConfigErrors, Mistake, Origin};
pub use parse::{Problem, Raw};
pub use reader::{Invalid, Reader, read};
pub use render::{effective, reference};
pub use schema::Schema;
pub use setting::{Exposure, Setting};
pub use sources::{CONFIG_PATH, Sources};
