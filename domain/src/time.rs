//! Points in time as they are stored and as clients read them. Reading a clock is the caller's business.

use chrono::{DateTime, SecondsFormat};
use serde::{Deserialize, Serialize, Serializer};

/// Milliseconds since the Unix epoch, by the clock of Redis.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Hash, PartialOrd, Ord, Deserialize)]
#[serde(transparent)]
pub struct Timestamp(pub i64);

impl Timestamp {
    /// `2026-01-31T09:30:00.000Z`, the form of JavaScript's `Date.toISOString`. A time that no calendar
    /// has (more than 262,000 years away) is written as the epoch.
    pub fn to_iso(self) -> String {
        DateTime::from_timestamp_millis(self.0)
            .unwrap_or_default()
            .to_rfc3339_opts(SecondsFormat::Millis, true)
    }

    /// The time for Postgres.
    pub fn to_datetime(self) -> DateTime<chrono::Utc> {
        DateTime::from_timestamp_millis(self.0).unwrap_or_default()
    }
}

impl From<DateTime<chrono::Utc>> for Timestamp {
    fn from(time: DateTime<chrono::Utc>) -> Self {
        Self(time.timestamp_millis())
    }
}

impl Serialize for Timestamp {
    /// Written as clients read it, in ISO 8601.
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(&self.to_iso())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_time_reads_as_javascript_writes_it() {
        assert_eq!(Timestamp(1_769_851_800_007).to_iso(), "2026-01-31T09:30:00.007Z");
        assert_eq!(Timestamp(i64::MAX).to_iso(), "1970-01-01T00:00:00.000Z");
    }
}
