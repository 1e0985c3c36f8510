//! `worker metrics`: what `/metrics` says.

use std::io::{self, Write};

use parlance_chassis::metrics;

use crate::metrics::SECTIONS;

/// The head of the document, before what the chassis writes.
const TITLE: &str = "\
# Metrics of the worker

<!-- Written by `worker metrics > docs/worker-metrics.md`; a test compares it. -->

What `GET /metrics` on the admin port says, in the Prometheus text format. The values of labels come from small, fixed
sets. Metrics without labels are there from the start; those with labels appear with their first value. What is said of
all partitions together (`parlance_ingest_…`, `parlance_dead_letters`, `parlance_notification_jobs`) every worker says
of the whole: take the `max` over workers, not the sum. Those of the gateway: [metrics.md](metrics.md).

";

pub(super) fn print(output: &mut impl Write) -> io::Result<()> {
    output.write_all(reference().as_bytes())
}

fn reference() -> String {
    format!("{TITLE}{}", metrics::reference(SECTIONS))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_committed_reference_is_not_stale() {
        let committed = include_str!("../../../docs/worker-metrics.md");
        assert!(
            committed == reference(),
            "docs/worker-metrics.md is stale: run `cargo run -p parlance-worker -- metrics > docs/worker-metrics.md`"
        );
    }
}
