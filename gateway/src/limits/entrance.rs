//! Who may open a session: looked at before anything else is done for a client.

use std::{net::IpAddr, sync::Arc, time::Duration};

use tokio::sync::{OwnedSemaphorePermit, Semaphore};

use super::{Block, Limit, Place, Places, Rate, Rates};

/// When there may be room again. Nobody knows it; clients that come back should not all do so at once, and add to it what
/// their own backoff says.
const ROOM_AGAIN: Duration = Duration::from_secs(5);

/// What an [`Entrance`] lets through.
#[derive(Debug, Clone, Copy)]
pub struct Bounds {
    /// New sessions of an address.
    pub connects: Rate,
    /// Sessions at a time.
    pub connections: usize,
    /// Sessions of an address at a time.
    pub per_address: usize,
}

/// Lets new sessions in, as many as there may be.
#[derive(Debug)]
pub struct Entrance {
    connects: Rates<Block>,
    all: Arc<Semaphore>,
    by_address: Places<Block>,
}

/// A session's place; free again when it is dropped.
#[derive(Debug)]
pub struct Pass {
    _of_all: OwnedSemaphorePermit,
    _of_address: Option<Place<Block>>,
}

/// Why nobody is let in.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Full {
    /// This address comes too often; it may come again after so long.
    TooOften(Duration),
    /// There is no room; there may be after so long.
    NoRoom(Duration),
}

impl Entrance {
    /// Nobody is in.
    pub fn new(bounds: &Bounds) -> Self {
        Self {
            connects: Rates::new(bounds.connects),
            all: Arc::new(Semaphore::new(bounds.connections.min(Semaphore::MAX_PERMITS))),
            by_address: Places::new(bounds.per_address),
        }
    }

    /// Lets a session in. A client whose address is not known counts among all alone.
    ///
    /// # Errors
    /// See [`Full`].
    pub fn enter(&self, address: Option<IpAddr>) -> Result<Pass, Full> {
        self.knock(address).map_err(Full::TooOften)?;
        let refused = |limit: Limit| {
            limit.count();
            Full::NoRoom(ROOM_AGAIN)
        };
        let of_address = match address.map(Block::of) {
            Some(block) => {
                Some(self.by_address.take(&block).ok_or_else(|| refused(Limit::ConnectionsPerAddress))?)
            }
            None => None,
        };
        let of_all = Arc::clone(&self.all).try_acquire_owned().map_err(|_| refused(Limit::Connections))?;
        Ok(Pass { _of_all: of_all, _of_address: of_address })
    }

    /// Counts an attempt that is as expensive as a new session, within a session.
    ///
    /// # Errors
    /// The time after which the address may come again.
    pub fn knock(&self, address: Option<IpAddr>) -> Result<(), Duration> {
        let Some(address) = address else { return Ok(()) };
        self.connects.check(&Block::of(address)).inspect_err(|_| Limit::Connects.count())
    }

    /// Forgets the addresses that are as good as new.
    pub fn tidy(&self) {
        self.connects.tidy();
    }
}

#[cfg(test)]
mod tests {
    use std::num::NonZeroU32;

    use super::*;

    fn entrance(burst: u32, connections: usize, per_address: usize) -> Entrance {
        let burst = NonZeroU32::new(burst).unwrap();
        let connects = Rate { count: NonZeroU32::MIN, per: Duration::from_secs(3_600), burst };
        Entrance::new(&Bounds { connects, connections, per_address })
    }

    fn address(text: &str) -> Option<IpAddr> {
        Some(text.parse().unwrap())
    }

    #[test]
    fn an_address_comes_so_often_and_others_are_let_in() {
        let entrance = entrance(2, 100, 100);
        for _ in 0..2 {
            entrance.enter(address("10.0.0.1")).unwrap();
        }
        let Err(Full::TooOften(wait)) = entrance.enter(address("10.0.0.1")) else {
            panic!("it is too often")
        };
        assert!(wait > Duration::from_secs(3_000));
        assert!(entrance.enter(address("10.0.0.2")).is_ok());
    }

    #[test]
    fn there_is_so_much_room_and_it_is_there_again() {
        let entrance = entrance(100, 3, 2);
        let first = entrance.enter(address("10.0.0.1")).unwrap();
        let _second = entrance.enter(address("10.0.0.1")).unwrap();
        assert!(matches!(entrance.enter(address("10.0.0.1")), Err(Full::NoRoom(_))), "of the address");
        let _third = entrance.enter(address("10.0.0.2")).unwrap();
        assert!(matches!(entrance.enter(address("10.0.0.3")), Err(Full::NoRoom(_))), "of all");
        assert!(matches!(entrance.enter(None), Err(Full::NoRoom(_))), "of all");
        drop(first);
        let _again = entrance.enter(address("10.0.0.1")).unwrap();
        assert!(matches!(entrance.enter(address("10.0.0.3")), Err(Full::NoRoom(_))));
    }

    #[test]
    fn who_found_no_room_takes_none() {
        let entrance = entrance(100, 1, 1);
        let first = entrance.enter(address("10.0.0.1")).unwrap();
        for _ in 0..5 {
            assert!(entrance.enter(address("10.0.0.2")).is_err());
        }
        drop(first);
        assert!(entrance.enter(address("10.0.0.2")).is_ok());
    }
}
