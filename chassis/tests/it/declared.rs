//! How the tests of the binaries find metrics that are not as declared.

use parlance_chassis::metrics::Metric;

use crate::exposition::mistakes;

#[test]
fn what_is_not_as_declared_is_found() {
    const A: Metric = Metric::counter("a_total", "A", &["x"]);
    const B: Metric = Metric::seconds("b_seconds", "B", &[]);
    let text = "# TYPE a_total counter\na_total{x=\"1\"} 2\n\n# TYPE b_seconds histogram\n\
                b_seconds_bucket{le=\"1\"} 0\nb_seconds_sum 0\nb_seconds_count 0\n";
    assert_eq!(mistakes(text, &[A, B], &[]), [""; 0]);
    assert_eq!(
        mistakes(text, &[A], &[]),
        [
            "b_seconds is not declared",
            "b_seconds_bucket is not declared",
            "b_seconds_count is not declared",
            "b_seconds_sum is not declared"
        ]
    );
    let gauge = Metric::gauge("a_total", "A", &["y"]);
    let found = mistakes(text, &[gauge, B, Metric::gauge("c", "C", &[])], &[]);
    assert_eq!(
        found,
        ["a_total is a counter", "a_total{x=\"1\"} 2 has other labels than [\"y\"]", "c is missing"]
    );
    assert_eq!(mistakes(text, &[A, B, Metric::gauge("c", "C", &[])], &["c"]), [""; 0]);
}
