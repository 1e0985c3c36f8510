//! Partitions: which one a conversation or user belongs to, and the hash tags that spread them over a cluster.

use std::sync::Arc;

use crc16::{State, XMODEM};

/// How many hash slots a Redis cluster has (Redis cluster specification, "Key distribution model").
const SLOTS: u32 = 16_384;

/// One of the partitions, from 0.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Partition(pub u16);

/// How many partitions there are, and the hash tag of each.
#[derive(Debug, Clone)]
pub struct Partitions {
    tags: Arc<[Box<str>]>,
}

impl Partitions {
    /// The tags of `count` partitions (at least one). Partition `i` gets the first of the tags `p<i>.0`,
    /// `p<i>.1`… that lies in the `i`-th of `count` equal shares of the slots: nodes with equal ranges so get
    /// equal numbers of partitions, which tags numbered plainly do not.
    pub fn new(count: u16) -> Self {
        let count = u32::from(count.max(1));
        let tag = |index: u32| {
            let share = index * SLOTS / count..(index + 1) * SLOTS / count;
            let tags = (0..).map(|n: u32| format!("p{index}.{n}"));
            let mut fitting = tags.filter(|tag| share.contains(&slot(tag)));
            fitting.next().unwrap_or_default().into_boxed_str()
        };
        Self { tags: (0..count).map(tag).collect() }
    }

    /// How many there are.
    pub fn count(&self) -> u16 {
        u16::try_from(self.tags.len()).unwrap_or(u16::MAX)
    }

    /// Every partition.
    pub fn all(&self) -> impl Iterator<Item = Partition> + use<> {
        (0..self.count()).map(Partition)
    }

    /// The partition of a conversation's or a user's id.
    pub fn of(&self, id: &str) -> Partition {
        Partition(State::<XMODEM>::calculate(id.as_bytes()) % self.count().max(1))
    }

    /// The partition with this number, if there is one: numbers come from message ids, which anybody can invent.
    pub fn get(&self, number: u16) -> Option<Partition> {
        (number < self.count()).then_some(Partition(number))
    }

    /// The hash tag of a partition, without braces.
    pub fn tag(&self, partition: Partition) -> &str {
        self.tags.get(usize::from(partition.0)).map_or("", |tag| tag)
    }

    /// The partition with this hash tag, if there is one: it has its own number.
    pub fn with_tag(&self, tag: &str) -> Option<Partition> {
        let (number, _) = tag.strip_prefix('p')?.split_once('.')?;
        self.get(number.parse().ok()?).filter(|partition| self.tag(*partition) == tag)
    }

    /// What is recorded at the first start, so that processes that disagree can notice.
    pub fn layout(&self) -> String {
        format!("v1 {} {}", self.count(), self.tags.join(","))
    }
}

fn slot(tag: &str) -> u32 {
    u32::from(State::<XMODEM>::calculate(tag.as_bytes())) % SLOTS
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_partition_lies_in_its_own_share_of_the_slots() {
        for count in [1, 3, 16, 64, 1024] {
            let partitions = Partitions::new(count);
            for partition in partitions.all() {
                let (index, count) = (u32::from(partition.0), u32::from(count));
                let share = index * SLOTS / count..(index + 1) * SLOTS / count;
                assert!(share.contains(&slot(partitions.tag(partition))), "{partition:?} of {count}");
            }
        }
    }

    #[test]
    fn the_layout_never_changes_between_versions() {
        assert_eq!(Partitions::new(4).layout(), "v1 4 p0.1,p1.3,p2.1,p3.3");
    }

    #[test]
    fn a_tag_is_of_one_partition() {
        let partitions = Partitions::new(1024);
        for partition in partitions.all() {
            assert_eq!(partitions.with_tag(partitions.tag(partition)), Some(partition));
        }
        let others = ["", "p", "p1", "1.3", "p1.2", "p01.3", "p1.3 ", "p1024.0", "p65536.0", "q1.3"];
        for tag in others.into_iter().filter(|tag| !partitions.layout().ends_with(tag)) {
            assert_eq!(partitions.with_tag(tag), None, "{tag}");
        }
    }

    #[test]
    fn an_invented_partition_is_none() {
        assert_eq!(Partitions::new(16).get(16), None);
    }
}
