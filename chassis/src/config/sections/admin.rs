//! `[admin]`: where the admin listener stands.

use crate::config::{Invalid, Reader, Setting, parse};

const HOST: Setting = Setting::new(
    "admin.host",
    "Where `/live`, `/ready` and `/metrics` are served. They need no token: keep it off the public network.",
)
.default("127.0.0.1");
const PORT: Setting =
    Setting::new("admin.port", "The port of the admin listener; 0 picks a free one.").default("9464");

/// Where the admin listener stands; see [`crate::listen::bind`].
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AdminSection {
    /// A name or an address.
    pub host: String,
    /// 0 picks a free port.
    pub port: u16,
}

impl AdminSection {
    /// What can be set here.
    pub const SETTINGS: &'static [Setting] = &[HOST, PORT];

    /// Reads the section.
    ///
    /// # Errors
    /// When something in it is wrong.
    pub fn read(reader: &mut Reader<'_>) -> Result<Self, Invalid> {
        let host = reader.require(&HOST, parse::host());
        let port = reader.require(&PORT, parse::number(0..=u16::MAX));
        Ok(Self { host: host?, port: port? })
    }
}
