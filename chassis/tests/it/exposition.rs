//! What `/metrics` says, compared with what the tables declare. Used by the tests of the binaries too.

use std::collections::{BTreeMap, BTreeSet};

use parlance_chassis::metrics::Metric;

/// What is wrong with `text`: names, kinds or labels that nobody declared, and declared metrics that are missing, those
/// named in `seldom` left aside.
pub fn mistakes(text: &str, declared: &[Metric], seldom: &[&str]) -> Vec<String> {
    let mut mistakes = Vec::new();
    let declared: BTreeMap<&str, &Metric> = declared.iter().map(|metric| (metric.name, metric)).collect();
    let mut kinds: BTreeMap<&str, &str> = BTreeMap::new();
    let mut shown = BTreeSet::new();
    for line in text.lines().filter(|line| !line.is_empty()) {
        if let Some(typed) = line.strip_prefix("# TYPE ") {
            let (name, kind) = typed.split_once(' ').unwrap();
            kinds.insert(name, kind);
            match declared.get(name) {
                None => mistakes.push(format!("{name} is not declared")),
                Some(metric) if metric.kind.as_str() != kind => mistakes.push(format!("{name} is a {kind}")),
                Some(_) => {}
            }
        } else if !line.starts_with('#') {
            let (name, labels) = sample(line);
            let base = ["_bucket", "_sum", "_count"].iter().find_map(|suffix| name.strip_suffix(suffix));
            let histogram = base.filter(|base| kinds.get(base) == Some(&"histogram"));
            let Some(metric) = declared.get(histogram.unwrap_or(name)) else {
                mistakes.push(format!("{name} is not declared"));
                continue;
            };
            shown.insert(metric.name);
            if labels != metric.labels.iter().copied().collect() {
                mistakes.push(format!("{line} has other labels than {:?}", metric.labels));
            }
        }
    }
    let missing = declared.keys().filter(|name| !shown.contains(**name) && !seldom.contains(*name));
    mistakes.extend(missing.map(|name| format!("{name} is missing")));
    mistakes.sort();
    mistakes.dedup();
    mistakes
}

/// The name of a sample and those of its labels, but for the bound of a bucket. No value of a label has a quotation mark.
fn sample(line: &str) -> (&str, BTreeSet<&str>) {
    let Some((name, rest)) = line.split_once('{') else {
        return (line.split(' ').next().unwrap(), BTreeSet::new());
    };
    // Between the quotation marks are the values; before each its name.
    let names = rest.rsplit_once('}').unwrap().0.split('"').step_by(2);
    let names = names.filter_map(|part| part.trim_start_matches(',').strip_suffix('='));
    (name, names.filter(|name| *name != "le").collect())
}
