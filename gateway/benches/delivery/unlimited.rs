//! For benchmarks of what clients do that keep to no limit.

/// Settings with which no limit is met.
pub const UNLIMITED: [(&str, &str); 9] = [
    ("LIMITS__EVENTS_PER_SECOND", "100000"),
    ("LIMITS__EVENTS_BURST", "100000"),
    ("LIMITS__SENDS_PER_SECOND", "100000"),
    ("LIMITS__SENDS_BURST", "100000"),
    ("LIMITS__CONNECTS_PER_SECOND", "100000"),
    ("LIMITS__CONNECTS_BURST", "100000"),
    ("LIMITS__CONNECTIONS", "100000"),
    ("LIMITS__CONNECTIONS_PER_ADDRESS", "100000"),
    ("LIMITS__CONNECTIONS_PER_USER", "100000"),
];
