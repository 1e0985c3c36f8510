//! What two readings of `INFO replication` prove.

use super::Unconfirmed;

/// One primary's history, from when it became the primary until it restarts or is one no longer: its `master_replid`. No
/// other primary ever has it.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct History(Box<str>);

impl History {
    pub(crate) fn new(replication_id: &str) -> Self {
        Self(replication_id.into())
    }
}

/// What `INFO replication` says.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Replication {
    history: History,
    /// A replica names the history that it follows.
    is_primary: bool,
    /// How far the history has come, in bytes.
    offset: u64,
    /// How far the replicas that follow have acknowledged it.
    acknowledged: Vec<u64>,
}

#[derive(Debug, PartialEq, Eq)]
pub(super) enum Verdict {
    Confirmed,
    NotYet,
    OtherHistory,
}

/// Whether, by the second reading, a replica had everything that `history` had by the first one.
pub(super) fn judge(history: &History, before: &Replication, after: &Replication) -> Verdict {
    let is_of = |reading: &Replication| reading.is_primary && reading.history == *history;
    if !is_of(before) || !is_of(after) {
        return Verdict::OtherHistory;
    }
    if after.acknowledged.iter().any(|offset| *offset >= before.offset) {
        return Verdict::Confirmed;
    }
    Verdict::NotYet
}

impl Replication {
    pub(super) fn parse(info: &str) -> Result<Self, Unconfirmed> {
        let missing = |name: &str| Unconfirmed::Unreachable(format!("INFO replication has no {name}"));
        let field = |name: &str| {
            let mut pairs = info.lines().filter_map(|line| line.trim_end().split_once(':'));
            pairs.find(|(key, _)| *key == name).map(|(_, value)| value).ok_or_else(|| missing(name))
        };
        let offset = field("master_repl_offset")?;
        Ok(Self {
            history: History::new(field("master_replid")?),
            is_primary: field("role")? == "master",
            offset: offset.parse().map_err(|_| missing("number in master_repl_offset"))?,
            acknowledged: info.lines().filter_map(acknowledged_by).collect(),
        })
    }
}

/// The acknowledged offset in a line like `slave0:ip=10.0.0.2,port=6379,state=online,offset=1234,lag=0`, when that replica
/// is past its first synchronisation.
fn acknowledged_by(line: &str) -> Option<u64> {
    let (number, fields) = line.trim_end().strip_prefix("slave")?.split_once(':')?;
    number.parse::<u32>().ok()?;
    let field = |name: &str| {
        let mut pairs = fields.split(',').filter_map(|pair| pair.split_once('='));
        pairs.find(|(key, _)| *key == name).map(|(_, value)| value)
    };
    (field("state")? == "online").then(|| field("offset")?.parse().ok())?
}

#[cfg(test)]
mod tests {
    use super::*;

    fn primary(history: &str, offset: u64, replicas: &[&str]) -> Replication {
        let replicas: String = replicas.iter().map(|replica| format!("{replica}\r\n")).collect();
        let info = format!(
            "# Replication\r\nrole:master\r\nconnected_slaves:1\r\n{replicas}master_failover_state:no-failover\r\n\
             master_replid:{history}\r\nmaster_replid2:{}\r\nmaster_repl_offset:{offset}\r\n\
             second_repl_offset:-1\r\n",
            "0".repeat(40)
        );
        Replication::parse(&info).unwrap()
    }

    fn verdict(before: &Replication, replicas: &[&str]) -> Verdict {
        judge(&History::new("h"), before, &primary("h", 500, replicas))
    }

    #[test]
    fn one_replica_that_has_come_as_far_as_the_first_reading_confirms() {
        let before = primary("h", 100, &[]);
        let behind = "slave0:ip=::1,port=1,state=online,offset=99,lag=0";
        assert_eq!(verdict(&before, &[behind]), Verdict::NotYet);
        assert_eq!(verdict(&before, &[]), Verdict::NotYet);
        let there = "slave12:ip=::1,port=2,state=online,offset=100,lag=0,type=replica";
        assert_eq!(verdict(&before, &[behind, there]), Verdict::Confirmed);
    }

    #[test]
    fn a_replica_that_still_synchronises_confirms_nothing() {
        let before = primary("h", 0, &[]);
        for state in ["wait_bgsave", "send_bulk"] {
            let replica = format!("slave0:ip=::1,port=1,state={state},offset=0,lag=0");
            assert_eq!(verdict(&before, &[&replica]), Verdict::NotYet);
        }
    }

    #[test]
    fn another_history_before_or_after_confirms_nothing() {
        let replica = ["slave0:ip=::1,port=1,state=online,offset=900,lag=0"];
        let (own, other) = (primary("h", 1, &replica), primary("i", 1, &replica));
        let history = History::new("h");
        assert_eq!(judge(&history, &own, &own), Verdict::Confirmed);
        assert_eq!(judge(&history, &own, &other), Verdict::OtherHistory);
        assert_eq!(judge(&history, &other, &own), Verdict::OtherHistory);
        assert_eq!(judge(&History::new("i"), &own, &own), Verdict::OtherHistory);
    }

    #[test]
    fn a_replica_that_is_asked_confirms_nothing_to_others() {
        let replica = ["slave0:ip=::1,port=1,state=online,offset=900,lag=0"];
        let demoted = Replication { is_primary: false, ..primary("h", 1, &replica) };
        assert_eq!(judge(&History::new("h"), &demoted, &demoted), Verdict::OtherHistory);
    }

    #[test]
    fn a_server_that_names_no_history_is_refused() {
        assert!(Replication::parse("role:master\r\nmaster_repl_offset:1\r\n").is_err());
        assert!(Replication::parse("").is_err());
    }
}
