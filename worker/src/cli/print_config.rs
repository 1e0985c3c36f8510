//! `worker print-config`.

use std::io::{self, Write};

use parlance_chassis::config::{Sources, effective};

use crate::config::Settings;

/// Prints the values that count, as TOML, each with where it comes from.
pub(super) fn print(sources: &Sources, output: &mut impl Write) -> io::Result<()> {
    output.write_all(effective(&Settings::schema(), sources).as_bytes())
}
