//! How many messages a `receipt.read` newly marked, for those whose dialect tells it.

use parlance_domain::{id::UserId, receipt::Receipts, version::Seq};

/// What is asked of one command.
#[derive(Debug)]
pub(in crate::command) struct Mark {
    /// Who reads.
    pub(super) user: UserId,
    /// How far other commands of the same interval had read before.
    pub(super) above: Seq,
    /// How far this one reads.
    pub(super) to: Seq,
    /// The places of the messages of others that it names; none when it names a place.
    pub(super) named: Option<Vec<Seq>>,
}

/// What is known of it when the cursor has moved.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Marked {
    /// So many.
    Count(u64),
    /// All messages of others beyond one place up to another.
    Between(Seq, Seq),
    /// Nothing: the cursor was not among those that were told.
    Unknown,
}

impl Mark {
    /// What it newly marked.
    pub(super) fn of(&self, receipts: &Receipts) -> Marked {
        let cursor = receipts.cursors.iter().find(|cursor| cursor.user == self.user);
        let Some(before) = cursor.and_then(|cursor| cursor.read_before) else {
            return Marked::Unknown;
        };
        let above = before.max(self.above);
        match &self.named {
            Some(places) => Marked::Count(places.iter().filter(|place| **place > above).count() as u64),
            None if self.to <= above => Marked::Count(0),
            None => Marked::Between(above, self.to),
        }
    }
}

#[cfg(test)]
mod tests {
    use parlance_domain::receipt::Cursor;

    use super::*;

    fn marked(above: u64, to: u64, named: Option<&[u64]>) -> Marked {
        let user = UserId::new("u").unwrap();
        let cursor = Cursor { read: Seq(9), read_before: Some(Seq(3)), ..Cursor::start(user.clone()) };
        let named = named.map(|places| places.iter().copied().map(Seq).collect());
        Mark { user, above: Seq(above), to: Seq(to), named }.of(&Receipts::from(vec![cursor]))
    }

    #[test]
    fn what_was_read_before_or_by_an_earlier_command_of_the_interval_is_not_marked_again() {
        assert_eq!(marked(0, 5, Some(&[2, 3, 4, 5])), Marked::Count(2));
        assert_eq!(marked(4, 5, Some(&[2, 3, 4, 5])), Marked::Count(1));
        assert_eq!(marked(0, 7, None), Marked::Between(Seq(3), Seq(7)));
        assert_eq!(marked(5, 7, None), Marked::Between(Seq(5), Seq(7)));
        assert_eq!(marked(0, 2, None), Marked::Count(0));
        let other = Mark { user: UserId::new("v").unwrap(), above: Seq(0), to: Seq(5), named: None };
        assert_eq!(other.of(&Receipts::default()), Marked::Unknown);
    }
}
