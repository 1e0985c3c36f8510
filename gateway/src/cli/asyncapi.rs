//! `gateway asyncapi`: the description of the native socket protocol.

use std::process::ExitCode;

use super::Failure;
use crate::dialect::asyncapi;

pub(super) fn print() -> Result<ExitCode, Failure> {
    super::print(&asyncapi::text());
    Ok(ExitCode::SUCCESS)
}
