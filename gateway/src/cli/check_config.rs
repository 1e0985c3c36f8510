//! `gateway check-config`: says what is wrong with the configuration and with the dialects that it names.

use std::process::ExitCode;

use parlance_chassis::config::Sources;

use super::{Failure, dialects, print, print_error};
use crate::config::Config;

pub(super) fn check(sources: &Sources) -> Result<ExitCode, Failure> {
    let config = Config::from_sources(sources)?;
    let dialects = dialects(&config)?;
    for warning in config.warnings() {
        print_error(&format!("warning: {warning}"));
    }
    let names: Vec<String> = dialects.iter().map(|dialect| dialect.name().to_owned()).collect();
    print(&format!("the configuration is valid; dialects: {}\n", names.join(", ")));
    Ok(ExitCode::SUCCESS)
}
