//! `gateway vocabulary`: the words that dialect files can use.

use std::process::ExitCode;

use super::Failure;
use crate::dialect::reference;

pub(super) fn print() -> Result<ExitCode, Failure> {
    super::print(&reference::text());
    Ok(ExitCode::SUCCESS)
}
