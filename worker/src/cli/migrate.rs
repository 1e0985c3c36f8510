//! `worker migrate`.

use parlance_store::{Store, StoreError};

use crate::config::Settings;

/// Brings the schema up to date, and records the layout of the partitions.
pub(super) async fn migrate(settings: &Settings) -> Result<(), StoreError> {
    let store = Store::connect(&settings.store()).await?;
    store.migrate().await?;
    store.check_schema().await
}
