//! The record of the partitions: a process that was configured for other ones must not start.

use fred::{
    interfaces::KeysInterface,
    types::{Expiration, SetOptions},
};

use crate::{broker::Broker, error::BrokerError, metrics::begin};

impl Broker {
    /// Records the layout of the partitions when there is no record, and compares it when there is.
    ///
    /// # Errors
    /// [`BrokerError::Layout`] when the record differs; otherwise as every command.
    pub async fn check_layout(&self) -> Result<(), BrokerError> {
        let (key, configured) = (self.keys().layout(), self.keys().partitions().layout());
        let none: Option<Expiration> = None;
        let _: Option<String> = begin("layout")
            .end(self.client().set(&key, &configured, none, Some(SetOptions::NX), false).await)?;
        let recorded: Option<String> = begin("layout").end(self.client().get(&key).await)?;
        match recorded {
            Some(recorded) if recorded == configured => Ok(()),
            Some(recorded) => Err(BrokerError::Layout { configured, recorded }),
            None => Err(BrokerError::Unexpected(String::from("the layout's record is gone again"))),
        }
    }
}
