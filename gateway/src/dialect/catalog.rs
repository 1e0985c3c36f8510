//! The dialects that a gateway speaks, and which of them a handshake means.

use std::{collections::HashMap, fs, path::Path, sync::Arc};

use super::{Dialect, DialectIndex, Mistake, validate};
use crate::web::origins::{Allowed, Origins};

/// The gateway's own protocol.
pub(super) const NATIVE: (&str, &str) = ("native.toml", include_str!("../../dialects/native.toml"));

/// The namespace that a client uses when its URL names none.
const ROOT: &str = "/";

/// Every loaded dialect. Cheap to clone.
#[derive(Debug, Clone)]
pub struct Dialects(Arc<Catalog>);

#[derive(Debug)]
struct Catalog {
    dialects: Vec<Arc<Dialect>>,
    default: usize,
    by_name: HashMap<String, usize>,
    by_namespace: HashMap<String, usize>,
    by_host: HashMap<String, usize>,
    by_path: HashMap<String, usize>,
}

impl Dialects {
    /// Loads the built-in dialect and every `*.toml` of `folder`, in the order of their names. `default` names
    /// the one for `/` when the handshake says nothing.
    ///
    /// # Errors
    /// Every mistake in every file, and what two files both claim.
    pub fn load(folder: Option<&Path>, default: &str) -> Result<Self, Vec<Mistake>> {
        let mut mistakes = Vec::new();
        let mut files = vec![(NATIVE.0.to_owned(), NATIVE.1.to_owned())];
        match folder.map(read_folder).transpose() {
            Ok(found) => files.extend(found.into_iter().flatten()),
            Err(mistake) => mistakes.push(mistake),
        }
        let mut dialects = Vec::with_capacity(files.len());
        for (file, text) in &files {
            match validate::compile(file, text, DialectIndex(dialects.len())) {
                Ok(dialect) => dialects.push((file.as_str(), Arc::new(dialect))),
                Err(found) => mistakes.extend(found),
            }
        }
        let catalog = Catalog::new(&dialects, default, &mut mistakes);
        if mistakes.is_empty() { Ok(Self(Arc::new(catalog))) } else { Err(mistakes) }
    }

    /// All of them, in the order of their indices.
    pub fn iter(&self) -> impl Iterator<Item = &Arc<Dialect>> {
        self.0.dialects.iter()
    }

    /// How many there are.
    pub fn count(&self) -> usize {
        self.0.dialects.len()
    }

    /// The dialect of this name.
    pub fn get(&self, name: &str) -> Option<&Arc<Dialect>> {
        self.0.at(self.0.by_name.get(name))
    }

    /// The dialect with this index.
    pub fn by_index(&self, index: DialectIndex) -> Option<&Arc<Dialect>> {
        self.0.at(Some(&index.get()))
    }

    /// The one that is configured as the default.
    pub fn configured(&self) -> Option<&Arc<Dialect>> {
        self.0.at(Some(&self.0.default))
    }

    /// Every namespace that clients can connect to, `/` first.
    pub fn namespaces(&self) -> impl Iterator<Item = &str> {
        let named = self.iter().flat_map(|dialect| dialect.namespaces());
        std::iter::once(ROOT).chain(named.map(String::as_str))
    }

    /// The Socket.IO paths beside the usual one.
    pub fn paths(&self) -> impl Iterator<Item = &str> {
        self.iter().flat_map(|dialect| dialect.paths()).map(String::as_str)
    }

    /// What the web pages are allowed that may connect to some dialect, when `usual` is what holds for dialects that say
    /// nothing of it.
    ///
    /// Before a client has named a namespace any dialect could be meant, so this is what a request is held against; the
    /// one that is meant is asked when it is known.
    pub fn origins(&self, usual: &Origins) -> Allowed {
        Allowed::by(self.iter().map(|dialect| dialect.origins().unwrap_or(usual)))
    }

    /// The dialect of a handshake. A namespace other than `/` decides alone; in `/` the query's `dialect` does,
    /// then the Socket.IO path, then the `Host` header, then the default.
    ///
    /// `None` when the namespace or the query names a dialect that there is not.
    pub fn select(
        &self,
        namespace: &str,
        query_dialect: Option<&str>,
        host: Option<&str>,
        path: &str,
    ) -> Option<Arc<Dialect>> {
        let catalog = &self.0;
        let index = if namespace != ROOT {
            catalog.by_namespace.get(namespace)?
        } else if let Some(name) = query_dialect {
            catalog.by_name.get(name)?
        } else {
            let by_path = || catalog.by_path.get(without_slash(path));
            let by_host = || catalog.by_host.get(&host_name(host?));
            by_path().or_else(by_host).unwrap_or(&catalog.default)
        };
        catalog.at(Some(index)).cloned()
    }
}

impl Catalog {
    fn new(dialects: &[(&str, Arc<Dialect>)], default: &str, mistakes: &mut Vec<Mistake>) -> Self {
        // The default may be in a file that could not be compiled.
        let every_file_is_right = mistakes.is_empty();
        let mut claims = Claims { dialects, mistakes };
        let by_name = claims.index("name", |dialect| vec![dialect.name.clone()]);
        let by_namespace = claims.index("namespaces", |dialect| dialect.namespaces.clone());
        let by_host = claims.index("hosts", |dialect| dialect.hosts.clone());
        let by_path = claims.index("paths", |dialect| dialect.paths.clone());
        let default_index = by_name.get(default).copied();
        if default_index.is_none() && every_file_is_right {
            mistakes.push(Mistake {
                file: String::from("configuration"),
                key: String::from("default dialect"),
                problem: format!("there is no dialect `{default}`"),
                hint: Some(super::mistake::did_you_mean(default, by_name.keys().map(String::as_str))),
            });
        }
        Self {
            dialects: dialects.iter().map(|(_, dialect)| Arc::clone(dialect)).collect(),
            default: default_index.unwrap_or_default(),
            by_name,
            by_namespace,
            by_host,
            by_path,
        }
    }

    fn at(&self, index: Option<&usize>) -> Option<&Arc<Dialect>> {
        self.dialects.get(*index?)
    }
}

struct Claims<'a> {
    dialects: &'a [(&'a str, Arc<Dialect>)],
    mistakes: &'a mut Vec<Mistake>,
}

impl Claims<'_> {
    /// Who has each of the words that only one dialect can have.
    fn index(&mut self, key: &str, words: impl Fn(&Dialect) -> Vec<String>) -> HashMap<String, usize> {
        let mut index: HashMap<String, usize> = HashMap::new();
        for (place, (file, dialect)) in self.dialects.iter().enumerate() {
            for word in words(dialect) {
                let earlier = index.get(&word).and_then(|place| self.dialects.get(*place));
                match earlier {
                    None => {
                        index.insert(word, place);
                    }
                    Some((first, _)) => self.mistakes.push(Mistake {
                        file: (*file).to_owned(),
                        key: key.to_owned(),
                        problem: format!("`{word}` is taken by {first}"),
                        hint: None,
                    }),
                }
            }
        }
        index
    }
}

fn read_folder(folder: &Path) -> Result<Vec<(String, String)>, Mistake> {
    let unreadable = |path: &Path, error: &std::io::Error| Mistake {
        file: path.display().to_string(),
        key: String::new(),
        problem: format!("cannot be read: {error}"),
        hint: None,
    };
    let entries = fs::read_dir(folder).map_err(|error| unreadable(folder, &error))?;
    let mut paths = Vec::new();
    for entry in entries {
        let path = entry.map_err(|error| unreadable(folder, &error))?.path();
        if path.extension().is_some_and(|extension| extension == "toml") {
            paths.push(path);
        }
    }
    paths.sort();
    paths
        .into_iter()
        .map(|path| {
            let text = fs::read_to_string(&path).map_err(|error| unreadable(&path, &error))?;
            Ok((path.display().to_string(), text))
        })
        .collect()
}

/// The name in a `Host` header, without its port, in lower case.
pub(super) fn host_name(host: &str) -> String {
    let name = match host.rsplit_once(':') {
        Some((name, port)) if port.bytes().all(|byte| byte.is_ascii_digit()) => name,
        _ => host,
    };
    name.to_ascii_lowercase()
}

pub(super) fn without_slash(path: &str) -> &str {
    path.strip_suffix('/').unwrap_or(path)
}
