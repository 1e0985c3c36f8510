//! The files with a dialect's own keys. They are read once, when the dialect is.

use std::{
    fs,
    path::{Path, PathBuf},
};

use parlance_chassis::secret::Secret;

use crate::{
    auth::{OwnKeys, PublicKey},
    dialect::mistake::Mistakes,
};

/// The largest file with a key, in bytes.
const MOST_BYTES: u64 = 64 * 1024;
/// The shortest secret, in bytes.
const LEAST_SECRET_BYTES: usize = 8;

/// Lists of files, as they are written; a relative path begins at the folder of the dialect's file.
#[derive(Debug, Default)]
pub(super) struct KeyFiles {
    pub(super) secrets: Option<Vec<String>>,
    pub(super) public: Option<Vec<String>>,
}

impl KeyFiles {
    /// Reads the keys, if there are any. What is no key is noted.
    pub(super) fn read(&self, section: &str, mistakes: &Mistakes) -> Option<OwnKeys> {
        let secrets = self.secrets.as_ref().map(|files| {
            each(files, &format!("{section}.secret_files"), mistakes, |text| {
                // Editors and `openssl rand` end the line.
                let secret = text.trim_end_matches(['\r', '\n']);
                let fits = secret.len() >= LEAST_SECRET_BYTES;
                fits.then(|| Secret::new(secret.to_owned()))
                    .ok_or_else(|| String::from("has a secret of fewer than 8 bytes"))
            })
        });
        let public = self.public.as_ref().map(|files| {
            each(files, &format!("{section}.public_key_files"), mistakes, |text| {
                PublicKey::from_pem(text).map_err(|bad| bad.to_string())
            })
        });
        if secrets.is_none() && public.is_none() {
            return None;
        }
        Some(OwnKeys::new(secrets.unwrap_or_default(), public.unwrap_or_default()))
    }
}

fn each<T>(
    files: &[String],
    key: &str,
    mistakes: &Mistakes,
    parse: impl Fn(&str) -> Result<T, String>,
) -> Vec<T> {
    if files.is_empty() {
        mistakes.add_with_hint(key, "names no file", "leave it out, or name a file");
    }
    let one = |file: &String| {
        let read = contents(&located(file, mistakes.file())).and_then(|text| parse(&text));
        read.map_err(|problem| mistakes.add(key, format!("`{file}` {problem}"))).ok()
    };
    files.iter().filter_map(one).collect()
}

fn located(file: &str, dialect: &str) -> PathBuf {
    Path::new(dialect).parent().unwrap_or(Path::new("")).join(file)
}

fn contents(path: &Path) -> Result<String, String> {
    let unreadable = |error: std::io::Error| format!("cannot be read: {error}");
    if fs::metadata(path).map_err(unreadable)?.len() > MOST_BYTES {
        return Err(String::from("is a file of more than 64 KiB"));
    }
    fs::read_to_string(path).map_err(unreadable)
}
