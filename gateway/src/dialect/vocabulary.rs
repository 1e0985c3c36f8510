//! The canonical names that a dialect file can use: the fields of each command, of each reply and of each
//! event, with the shape of each. A file that names anything else is refused at start.
//!
//! `view` makes the replies and the events; a test there holds the two together.

mod event;
mod objects;
mod reply;
mod shape;

pub use event::{EventName, Scope};
pub(super) use reply::{FAILURE, argument, needed, reply};
pub(super) use shape::{Field, Shape};

#[cfg(test)]
mod tests {
    use parlance_domain::command::CommandName;

    use super::*;

    #[test]
    fn names_read_back() {
        for name in EventName::ALL {
            assert_eq!(EventName::parse(name.as_str()), Some(*name));
        }
    }

    #[test]
    fn what_a_command_needs_is_among_its_fields() {
        for command in CommandName::ALL {
            for name in needed(*command).iter().copied().flatten() {
                assert!(argument(*command, name).is_some(), "{command:?} {name}");
            }
        }
    }
}
