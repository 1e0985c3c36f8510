//! `gateway print-config`: the configuration as it is, and as it may be.

use std::process::ExitCode;

use parlance_chassis::config::{self, Sources};

use super::Failure;
use crate::config::Config;

/// The head of the reference, before what the chassis writes.
const TITLE: &str = "\
# Configuration of the gateway

<!-- Written by `gateway print-config --reference > docs/configuration.md`; a test compares it. -->

";

#[derive(Debug, clap::Args)]
pub(super) struct Options {
    /// Print every setting with its default and its meaning instead, as Markdown
    #[arg(long)]
    pub(super) reference: bool,
}

/// Prints what there is even when something in it is wrong: that is when one looks.
pub(super) fn print_effective(sources: &Sources) -> Result<ExitCode, Failure> {
    super::print(&config::effective(&Config::schema(), sources));
    Config::from_sources(sources)?;
    Ok(ExitCode::SUCCESS)
}

pub(super) fn print_reference() -> Result<ExitCode, Failure> {
    super::print(&reference());
    Ok(ExitCode::SUCCESS)
}

fn reference() -> String {
    format!("{TITLE}{}", config::reference(&Config::schema()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_committed_reference_is_not_stale() {
        let committed = include_str!("../../../docs/configuration.md");
        assert!(
            committed == reference(),
            "docs/configuration.md is stale: run `cargo run -p parlance-gateway -- print-config --reference > docs/configuration.md`"
        );
    }
}
