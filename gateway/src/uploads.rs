//! Uploaded files: taken in as a stream into an object store, announced to their sender on the way, and read by those
//! who may. What is stored is never trusted to be what it says: its type comes from its first bytes.

mod sniff;
mod storage;

use std::{
    collections::HashMap,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use bytes::Bytes;
use object_store::{GetOptions, GetResult, ObjectStore, ObjectStoreExt, WriteMultipart, path::Path};
use parlance_domain::{
    id::{ConversationId, UploadId, UserId},
    upload::{Upload, UploadProgress},
    user_event::UserEvent,
};
use tokio::{
    sync::{OwnedSemaphorePermit, Semaphore},
    time::Instant,
};

use crate::{app::App, config::UploadsSection};

pub use sniff::{is_shown_inline, is_text};
pub use storage::OpenError;

/// How often the sender is told how far the file has come.
const PROGRESS_INTERVAL: Duration = Duration::from_millis(250);
/// Parts of a file on their way to the store at the same time.
const PARTS_IN_FLIGHT: usize = 2;
/// How many files of one user a gateway takes in at the same time.
const MAX_A_USER: usize = 8;
/// How many first bytes tell what a file is.
const HEAD_BYTES: usize = 8 * 1024;
/// How long the store may take to take or give a part.
const DEADLINE: Duration = Duration::from_secs(60);

/// A handle on the store; cheap to clone.
#[derive(Debug, Clone)]
pub struct Uploads {
    /// None when uploads are not configured.
    store: Option<Arc<dyn ObjectStore>>,
    prefix: Path,
    max_bytes: u64,
    types: Arc<[String]>,
    slots: Arc<Semaphore>,
    /// How many files of each user are on their way.
    by_user: Arc<Mutex<HashMap<UserId, usize>>>,
}

/// The place that a file takes while it is on its way.
#[derive(Debug)]
pub struct Slot {
    user: UserId,
    by_user: Arc<Mutex<HashMap<UserId, usize>>>,
    _permit: OwnedSemaphorePermit,
}

/// Why a file was not taken in.
#[derive(Debug, thiserror::Error)]
pub enum UploadError {
    /// Uploads are not configured.
    #[error("uploads are not configured")]
    Off,
    /// As many files are on their way as may be.
    #[error("too many uploads at the same time")]
    TooMany,
    /// The file is larger than it may be, in bytes.
    #[error("the file is larger than {0} bytes")]
    TooLarge(u64),
    /// The file has no bytes.
    #[error("the file is empty")]
    Empty,
    /// The file's type is not on the list.
    #[error("a file of the type {0} cannot be uploaded")]
    Type(String),
    /// The store failed.
    #[error("failed to store a file: {0}")]
    Store(#[from] object_store::Error),
    /// The store took too long.
    #[error("the store took too long")]
    Slow,
}

/// What is known of a file before its bytes.
#[derive(Debug, Clone)]
pub struct NewUpload {
    /// Who sends it.
    pub owner: UserId,
    /// Whose participants may read it.
    pub conversation: Option<ConversationId>,
    /// What the sender calls it.
    pub name: String,
    /// How many bytes the request has, when it says so.
    pub total: Option<u64>,
}

impl Uploads {
    /// Opens the configured store.
    ///
    /// # Errors
    /// When it cannot be opened.
    pub fn open(config: &UploadsSection) -> Result<Self, OpenError> {
        let (store, prefix) = match storage::open(config)? {
            Some((store, prefix)) => (Some(store), prefix),
            None => (None, Path::default()),
        };
        Ok(Self {
            store,
            prefix,
            max_bytes: config.max_bytes,
            types: config.types.clone().into(),
            slots: Arc::new(Semaphore::new(config.concurrent)),
            by_user: Arc::default(),
        })
    }

    /// The largest file, in bytes.
    pub fn max_bytes(&self) -> u64 {
        self.max_bytes
    }

    /// A place for a file of this user; some are left to others.
    ///
    /// # Errors
    /// When uploads are not configured, or too many are on their way.
    pub fn slot(&self, user: &UserId) -> Result<Slot, UploadError> {
        if self.store.is_none() {
            return Err(UploadError::Off);
        }
        let permit = self.slots.clone().try_acquire_owned().map_err(|_| UploadError::TooMany)?;
        let mut by_user = lock(&self.by_user);
        let count = by_user.entry(user.clone()).or_default();
        if *count >= MAX_A_USER {
            return Err(UploadError::TooMany);
        }
        *count += 1;
        Ok(Slot { user: user.clone(), by_user: self.by_user.clone(), _permit: permit })
    }

    /// Begins to take a file in; several that come in one request have one place. When what this answers is dropped before it is finished, nothing stays.
    ///
    /// # Errors
    /// When uploads are not configured.
    pub fn begin(&self, app: &App, slot: Arc<Slot>, new: NewUpload) -> Result<Incoming, UploadError> {
        let store = self.store.clone().ok_or(UploadError::Off)?;
        let now = app.clock.now_ms();
        let id = UploadId::new(u64::try_from(now).unwrap_or(0), rand::random(), 0);
        Ok(Incoming {
            app: app.clone(),
            id,
            path: self.prefix.clone().join(id.to_string()),
            store,
            new,
            head: Vec::new(),
            content_type: None,
            writer: None,
            received: 0,
            told_at: None,
            _slot: slot,
        })
    }

    /// Where a file is.
    pub fn path(&self, id: UploadId) -> String {
        self.prefix.clone().join(id.to_string()).to_string()
    }

    /// Reads a file, or a part of it.
    ///
    /// # Errors
    /// When it is not there, or the store is away.
    pub async fn read(&self, path: &str, options: GetOptions) -> Result<GetResult, UploadError> {
        let store = self.store.as_ref().ok_or(UploadError::Off)?;
        let path = Path::from(path);
        let reading = store.get_opts(&path, options);
        Ok(tokio::time::timeout(DEADLINE, reading).await.map_err(|_| UploadError::Slow)??)
    }

    /// Removes a file.
    ///
    /// # Errors
    /// When the store is away. That the file is gone already is none.
    pub async fn remove(&self, path: &str) -> Result<(), UploadError> {
        let store = self.store.as_ref().ok_or(UploadError::Off)?;
        let path = Path::from(path);
        match tokio::time::timeout(DEADLINE, store.delete(&path)).await.map_err(|_| UploadError::Slow)? {
            Ok(()) | Err(object_store::Error::NotFound { .. }) => Ok(()),
            Err(error) => Err(error.into()),
        }
    }

    fn accepts(&self, content_type: &str) -> bool {
        let kind = content_type.split('/').next().unwrap_or_default();
        let fits = |allowed: &String| {
            allowed == content_type || allowed.strip_suffix("/*").is_some_and(|allowed| allowed == kind)
        };
        self.types.iter().any(fits)
    }
}

/// A file on its way in.
pub struct Incoming {
    app: App,
    id: UploadId,
    path: Path,
    store: Arc<dyn ObjectStore>,
    new: NewUpload,
    /// The first bytes, until there are enough to tell what they are.
    head: Vec<u8>,
    content_type: Option<String>,
    writer: Option<WriteMultipart>,
    received: u64,
    told_at: Option<Instant>,
    _slot: Arc<Slot>,
}

impl Incoming {
    /// Takes the next bytes in.
    ///
    /// # Errors
    /// When the file cannot be; what was stored of it is removed.
    pub async fn write(&mut self, bytes: Bytes) -> Result<(), UploadError> {
        self.received += bytes.len() as u64;
        if self.received > self.app.uploads.max_bytes {
            return Err(UploadError::TooLarge(self.app.uploads.max_bytes));
        }
        match &mut self.writer {
            Some(writer) => {
                let capacity = writer.wait_for_capacity(PARTS_IN_FLIGHT);
                tokio::time::timeout(DEADLINE, capacity).await.map_err(|_| UploadError::Slow)??;
                writer.put(bytes);
            }
            None => {
                self.head.extend_from_slice(&bytes);
                if self.head.len() >= HEAD_BYTES {
                    self.open().await?;
                }
            }
        }
        self.tell_progress().await;
        Ok(())
    }

    /// Ends the file: it is stored when this returns.
    ///
    /// # Errors
    /// When the file cannot be stored; what was stored of it is removed.
    pub async fn finish(mut self) -> Result<Upload, UploadError> {
        if self.received == 0 {
            return Err(UploadError::Empty);
        }
        if self.writer.is_none() {
            self.open().await?;
        }
        let Some(writer) = self.writer.take() else { return Err(UploadError::Empty) };
        tokio::time::timeout(DEADLINE, writer.finish()).await.map_err(|_| UploadError::Slow)??;
        self.told_at = None;
        self.tell_progress().await;
        Ok(Upload {
            id: self.id,
            owner: self.new.owner.clone(),
            conversation: self.new.conversation.clone(),
            name: self.new.name.clone(),
            content_type: self.content_type.take().unwrap_or_default(),
            size: self.received,
            created_at_ms: self.app.clock.now_ms(),
        })
    }

    /// Finds out what the file is, and opens the store for it.
    async fn open(&mut self) -> Result<(), UploadError> {
        let content_type = sniff::content_type(&self.head);
        if !self.app.uploads.accepts(content_type) {
            return Err(UploadError::Type(content_type.to_owned()));
        }
        let opening = self.store.put_multipart(&self.path);
        let upload = tokio::time::timeout(DEADLINE, opening).await.map_err(|_| UploadError::Slow)??;
        let mut writer = WriteMultipart::new(upload);
        writer.write(&std::mem::take(&mut self.head));
        self.content_type = Some(content_type.to_owned());
        self.writer = Some(writer);
        Ok(())
    }

    /// Tells the sender how far the file has come, if he was not told a moment ago. Nobody waits for somebody who is
    /// not connected, and a failure is no reason to lose the file.
    async fn tell_progress(&mut self) {
        if self.told_at.is_some_and(|told| told.elapsed() < PROGRESS_INTERVAL) {
            return;
        }
        self.told_at = Some(Instant::now());
        let progress = UploadProgress { id: self.id, received: self.received, total: self.new.total };
        if let Err(error) =
            self.app.broker.publish_to_user(&self.new.owner, &UserEvent::UploadProgress(progress)).await
        {
            tracing::debug!(%error, upload = %self.id, "failed to tell how far an upload has come");
        }
    }
}

impl Drop for Slot {
    fn drop(&mut self) {
        let mut by_user = lock(&self.by_user);
        if let Some(count) = by_user.get_mut(&self.user) {
            *count -= 1;
            if *count == 0 {
                by_user.remove(&self.user);
            }
        }
    }
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

impl Drop for Incoming {
    /// A file that was not finished leaves nothing in the store.
    fn drop(&mut self) {
        let Some(writer) = self.writer.take() else { return };
        let id = self.id;
        self.app.lifecycle.spawn_request("upload cleanup", async move {
            if let Err(error) = writer.abort().await {
                tracing::warn!(%error, upload = %id, "failed to remove the parts of a file that was not finished");
            }
        });
    }
}
