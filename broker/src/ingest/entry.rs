//! An entry of a stream, as bytes: whether they make sense is found out where they are written.

use std::{fmt, str::FromStr};

use bytes::Bytes;

/// The id of a stream entry: when it was made, in unix milliseconds, and its number within that millisecond.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct EntryId {
    /// Unix milliseconds by the clock of Redis.
    pub ms: u64,
    /// The number within the millisecond.
    pub n: u64,
}

impl FromStr for EntryId {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let parse = || {
            let (ms, n) = text.split_once('-')?;
            Some(Self { ms: ms.parse().ok()?, n: n.parse().ok()? })
        };
        parse().ok_or_else(|| format!("{text:?} is no id of a stream entry"))
    }
}

impl fmt::Display for EntryId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}-{}", self.ms, self.n)
    }
}

/// An entry of a stream. A field that it does not have is empty.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Entry {
    /// Its id.
    pub id: EntryId,
    /// Field `c`: the conversation.
    pub conversation: Bytes,
    /// Field `h`: the header, see [`parlance_domain::entry`].
    pub header: Bytes,
    /// Field `b`: the body.
    pub body: Bytes,
}

impl Entry {
    /// What it counts in the size of its stream, in bytes; the appending scripts count the same.
    pub fn size(&self) -> u64 {
        (self.conversation.len() + self.header.len() + self.body.len()) as u64
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_id_reads_back_and_is_ordered_by_time_then_number() {
        let id: EntryId = "1700000000000-12".parse().unwrap();
        assert_eq!(id.to_string(), "1700000000000-12");
        assert!(id > "1700000000000-9".parse().unwrap());
        assert!(id < "1700000000001-0".parse().unwrap());
        for bad in ["", "1", "1-", "-1", "a-1", "1-1-1"] {
            assert!(bad.parse::<EntryId>().is_err(), "{bad:?}");
        }
    }
}
