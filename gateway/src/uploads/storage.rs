//! Which object store the configuration names.

use std::sync::Arc;

use object_store::{ObjectStore, aws::AmazonS3Builder, local::LocalFileSystem, path::Path};
use parlance_chassis::secret::Secret;

use crate::config::UploadsSection;

/// Why a store cannot be opened.
#[derive(Debug, thiserror::Error)]
pub enum OpenError {
    /// The folder cannot be made or is none.
    #[error("uploads.store: the folder {0:?} cannot be used: {1}")]
    Folder(String, std::io::Error),
    /// The URL names no folder of this machine.
    #[error("uploads.store: {0} names no folder of this machine")]
    NoFolder(String),
    /// The URL names no bucket.
    #[error("uploads.store: {0} names no bucket")]
    NoBucket(String),
    /// The store refuses its settings.
    #[error("uploads.store: {0}")]
    Store(#[from] object_store::Error),
}

/// A store, and where in it files are.
pub(super) type Storage = (Arc<dyn ObjectStore>, Path);

/// The store and the path in it under which files are; `None` when uploads are not configured.
pub(super) fn open(config: &UploadsSection) -> Result<Option<Storage>, OpenError> {
    let Some(url) = &config.store else { return Ok(None) };
    if url.scheme() == "file" {
        let folder = url.to_file_path().map_err(|()| OpenError::NoFolder(url.to_string()))?;
        let shown = || folder.display().to_string();
        std::fs::create_dir_all(&folder).map_err(|error| OpenError::Folder(shown(), error))?;
        let store = LocalFileSystem::new_with_prefix(&folder)?;
        return Ok(Some((Arc::new(store), Path::default())));
    }
    let bucket = url.host_str().filter(|bucket| !bucket.is_empty());
    let bucket = bucket.ok_or_else(|| OpenError::NoBucket(url.to_string()))?;
    // The client of the store finds its cryptography here; a second installation changes nothing.
    let _ = rustls::crypto::ring::default_provider().install_default();
    let mut builder = AmazonS3Builder::new().with_bucket_name(bucket).with_region(config.s3_region.as_str());
    if let Some(endpoint) = &config.s3_endpoint {
        builder = builder
            .with_endpoint(endpoint.as_str().trim_end_matches('/'))
            .with_allow_http(endpoint.scheme() == "http");
    }
    if let Some(id) = &config.s3_access_key_id {
        builder = builder.with_access_key_id(id);
    }
    if let Some(key) = config.s3_secret_access_key.as_ref().map(Secret::expose) {
        builder = builder.with_secret_access_key(key);
    }
    let prefix = Path::from(url.path().trim_matches('/'));
    Ok(Some((Arc::new(builder.build()?), prefix)))
}
