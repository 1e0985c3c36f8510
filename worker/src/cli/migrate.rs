//! `worker migrate`.

use parlance_store::{Store, StoreError};

use crate::config::Settings;

/// Brings the schema up to date.
pub(super) async fn migrate(settings: &Settings) -> Result<(), StoreError> {
    let store = Store::connect(&settings.store()).await?;
    store.migrate().await?;
    store.check_schema().await
}
