//! `worker print-config`: the configuration as it is, and as it may be.

use std::io::{self, Write};

use parlance_chassis::config::{self, Sources, effective};

use crate::config::Settings;

/// The head of the reference, before what the chassis writes.
const TITLE: &str = "\
# Configuration of the worker

<!-- Written by `worker print-config --reference > docs/worker-configuration.md`; a test compares it. -->

";

#[derive(Debug, clap::Args)]
pub(super) struct Options {
    /// Print every setting with its default and its meaning instead, as Markdown.
    #[arg(long)]
    pub(super) reference: bool,
}

/// Prints the values that count, as TOML, each with where it comes from.
pub(super) fn print(sources: &Sources, output: &mut impl Write) -> io::Result<()> {
    output.write_all(effective(&Settings::schema(), sources).as_bytes())
}

/// Prints what can be set, whatever is.
pub(super) fn print_reference(output: &mut impl Write) -> io::Result<()> {
    output.write_all(reference().as_bytes())
}

fn reference() -> String {
    format!("{TITLE}{}", config::reference(&Settings::schema()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_committed_reference_is_not_stale() {
        let committed = include_str!("../../../docs/worker-configuration.md");
        assert!(
            committed == reference(),
            "docs/worker-configuration.md is stale: run `cargo run -p parlance-worker -- print-config --reference > docs/worker-configuration.md`"
        );
    }
}
