//! The tables of metrics as a document for operators.

use std::fmt::Write as _;

use metrics::Unit;

use super::{BYTES, COUNTS, METRICS, Metric, PROCESS, SECONDS};

/// What one part of a program measures.
#[derive(Clone, Copy, Debug)]
pub struct Section {
    /// Its heading.
    pub title: &'static str,
    /// Its metrics.
    pub metrics: &'static [Metric],
}

/// The metrics of a program as Markdown: those of its own parts, then those that every process has, then the buckets.
pub fn reference(sections: &[Section]) -> String {
    let process = [
        Section { title: "Readiness and tasks", metrics: METRICS },
        Section { title: "The process", metrics: PROCESS },
    ];
    let tables: Vec<String> = sections.iter().chain(&process).map(table).collect();
    format!("{}\n{}", tables.join("\n"), buckets())
}

fn table(section: &Section) -> String {
    let mut text = format!(
        "## {}\n\n| Metric | Type | Unit | Labels | What it says |\n| --- | --- | --- | --- | --- |\n",
        section.title
    );
    for Metric { name, kind, unit, help, labels } in section.metrics {
        let labels: Vec<String> = labels.iter().map(|label| format!("`{label}`")).collect();
        let unit = unit.as_ref().map_or("", Unit::as_str);
        // Writing to a string cannot fail.
        let _ = writeln!(text, "| `{name}` | {} | {unit} | {} | {help} |", kind.as_str(), labels.join(", "));
    }
    text
}

fn buckets() -> String {
    let list =
        |bounds: &[f64]| bounds.iter().map(|bound| format!("`{bound}`")).collect::<Vec<_>>().join(", ");
    format!(
        "## Histograms\n\nA histogram `x` is given out as `x_bucket` with the label `le`, `x_sum` and `x_count`. The \
         bounds of the\nbuckets, beside `+Inf`, go by the end of the name:\n\n\
         | Name | Bounds |\n| --- | --- |\n| `…_seconds` | {} |\n| `…_bytes` | {} |\n| others | {} |\n",
        list(SECONDS),
        list(BYTES),
        list(COUNTS),
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    const DURATION: Metric = Metric::seconds("x_seconds", "A duration", &["result"]);
    const EVENTS: Metric = Metric::counter("x_events_total", "Events", &[]);

    #[test]
    fn reference_lists_every_metric_and_the_buckets() {
        let text = reference(&[
            Section { title: "One", metrics: &[DURATION] },
            Section { title: "Two", metrics: &[EVENTS] },
        ]);
        assert!(text.starts_with("## One\n\n| Metric |"), "{text}");
        assert!(text.contains("| `x_seconds` | histogram | seconds | `result` | A duration |\n"), "{text}");
        assert!(text.contains("\n\n## Two\n"), "{text}");
        assert!(text.contains("| `x_events_total` | counter |  |  | Events |\n"), "{text}");
        for metric in METRICS.iter().chain(PROCESS) {
            assert!(text.contains(&format!("| `{}` | {}", metric.name, metric.kind.as_str())), "{text}");
        }
        assert!(text.contains("| `…_seconds` | `0.0005`, "), "{text}");
    }
}
