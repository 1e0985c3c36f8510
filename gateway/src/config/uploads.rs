//! `[uploads]`: where files are stored, how large they may be, and of what kinds.

use parlance_chassis::{
    config::{Invalid, Problem, Raw, Reader, Setting, parse},
    secret::Secret,
};
use url::Url;

const STORE: Setting = Setting::new(
    "uploads.store",
    "Where uploaded files are stored: `file:///a/folder` that all gateways share, or `s3://bucket/prefix` of any \
     S3-compatible store. Without it uploads are refused.",
);
const S3_ENDPOINT: Setting =
    Setting::new("uploads.s3_endpoint", "The URL of an S3-compatible store that is not Amazon's.");
const S3_REGION: Setting =
    Setting::new("uploads.s3_region", "The region of the bucket.").default("us-east-1");
const S3_ACCESS_KEY_ID: Setting =
    Setting::new("uploads.s3_access_key_id", "The id of the key that the store is used with.");
const S3_SECRET_ACCESS_KEY: Setting =
    Setting::new("uploads.s3_secret_access_key", "The key that the store is used with.").secret();
const MAX_BYTES: Setting =
    Setting::new("uploads.max_bytes", "The largest file that can be uploaded.").default("25MiB");
const TYPES: Setting = Setting::new(
    "uploads.types",
    "Media types that can be uploaded, found out from the file's first bytes whatever the client says; `image/*` names \
     all of a kind. What is none of them is refused.",
)
.default(
    "image/png,image/jpeg,image/gif,image/webp,audio/*,video/*,application/pdf,application/zip,text/plain,\
     application/octet-stream",
);
const CONCURRENT: Setting = Setting::new(
    "uploads.concurrent",
    "How many files one gateway takes in at the same time; each may need a few MiB of memory.",
)
.default("64");

/// Where files are stored, how large they may be, and of what kinds.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct UploadsSection {
    /// Where; none when uploads are refused.
    pub store: Option<Url>,
    /// Of an S3-compatible store.
    pub s3_endpoint: Option<Url>,
    /// Of the bucket.
    pub s3_region: String,
    /// Of the bucket's key.
    pub s3_access_key_id: Option<String>,
    /// The bucket's key.
    pub s3_secret_access_key: Option<Secret>,
    /// Of one file.
    pub max_bytes: u64,
    /// Media types, some of them `kind/*`.
    pub types: Vec<String>,
    /// Of one gateway.
    pub concurrent: usize,
}

impl UploadsSection {
    /// What can be set here.
    pub const SETTINGS: &'static [Setting] = &[
        STORE,
        S3_ENDPOINT,
        S3_REGION,
        S3_ACCESS_KEY_ID,
        S3_SECRET_ACCESS_KEY,
        MAX_BYTES,
        TYPES,
        CONCURRENT,
    ];

    /// Reads the section.
    ///
    /// # Errors
    /// When something in it is wrong.
    pub fn read(reader: &mut Reader<'_>) -> Result<Self, Invalid> {
        let store = reader.optional(&STORE, store);
        let s3_endpoint = reader.optional(&S3_ENDPOINT, parse::url(&["http", "https"]));
        let s3_region = reader.require(&S3_REGION, parse::text(1..=64));
        let s3_access_key_id = reader.optional(&S3_ACCESS_KEY_ID, parse::text(1..=256));
        let s3_secret_access_key = reader.optional(&S3_SECRET_ACCESS_KEY, parse::secret(1));
        let max_bytes = reader.require(&MAX_BYTES, parse::byte_size(1..=5 << 40));
        let types = reader.require(&TYPES, parse::list(media_type));
        let concurrent = reader.require(&CONCURRENT, parse::number(1..=10_000));
        Ok(Self {
            store: store?,
            s3_endpoint: s3_endpoint?,
            s3_region: s3_region?,
            s3_access_key_id: s3_access_key_id?,
            s3_secret_access_key: s3_secret_access_key?,
            max_bytes: max_bytes?,
            types: types?,
            concurrent: concurrent?,
        })
    }
}

fn store(raw: &Raw) -> Result<Url, Problem> {
    let text = raw.text()?;
    let url = Url::parse(text).map_err(|error| Problem::new(format!("is no URL: {error}")))?;
    let fits = match url.scheme() {
        "file" => url.to_file_path().is_ok(),
        "s3" => url.host_str().is_some_and(|bucket| !bucket.is_empty()),
        _ => false,
    };
    if fits {
        return Ok(url);
    }
    Err(Problem::new("names no store").hint("write file:///a/folder or s3://bucket/prefix"))
}

fn media_type(raw: &Raw) -> Result<String, Problem> {
    let text = parse::text(3..=128)(raw)?.to_ascii_lowercase();
    let word = |part: &str| {
        !part.is_empty()
            && part.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"!#$&-^_.+".contains(&byte))
    };
    match text.split_once('/') {
        Some((kind, rest)) if word(kind) && (rest == "*" || word(rest)) => Ok(text),
        _ => {
            Err(Problem::new("is no media type")
                .hint("write one like image/png, or image/* for all of a kind"))
        }
    }
}
