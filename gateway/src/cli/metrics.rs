//! `gateway metrics`: what `/metrics` says.

use std::process::ExitCode;

use parlance_chassis::metrics;

use super::Failure;
use crate::metrics::SECTIONS;

/// The head of the document, before what the chassis writes.
const TITLE: &str = "\
# Metrics of the gateway

<!-- Written by `gateway metrics > docs/metrics.md`; a test compares it. -->

What `GET /metrics` on the admin port says, in the Prometheus text format. The values of labels come from small, fixed
sets: no id of a user, a conversation or a message is among them. Metrics without labels are there from the start; those
with labels appear with their first value. Those of the worker: [worker-metrics.md](worker-metrics.md).

";

pub(super) fn print() -> Result<ExitCode, Failure> {
    super::print(&reference());
    Ok(ExitCode::SUCCESS)
}

fn reference() -> String {
    format!("{TITLE}{}", metrics::reference(SECTIONS))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_committed_reference_is_not_stale() {
        let committed = include_str!("../../../docs/metrics.md");
        assert!(
            committed == reference(),
            "docs/metrics.md is stale: run `cargo run -p parlance-gateway -- metrics > docs/metrics.md`"
        );
    }
}
