//! The dialects that are loaded at one time, and which of them a handshake or a request means.
//!
//! * `files` – which files there are, `claims` – what two of them cannot both have

mod claims;
mod files;

use std::{
    collections::{HashMap, HashSet},
    sync::{Arc, Weak},
};

use http::Method;

use super::{Dialect, DialectIndex, Mistake, Route, route::Paths, validate};
use crate::web::origins::{Allowed, Origins};
use claims::Claims;
pub(super) use files::File;
pub use files::Selection;

/// The namespace that a client uses when its URL names none.
const ROOT: &str = "/";

/// Every dialect of one time.
#[derive(Debug)]
pub struct Catalog {
    dialects: Vec<Loaded>,
    /// Those of earlier times that sockets may still speak.
    retired: Vec<Weak<Dialect>>,
    default: usize,
    by_name: HashMap<String, usize>,
    by_namespace: HashMap<String, usize>,
    by_host: HashMap<String, usize>,
    by_path: HashMap<String, usize>,
    /// The routes at the root.
    routes: Paths<(usize, Arc<Route>)>,
}

/// A dialect and what it was compiled from.
#[derive(Debug)]
struct Loaded {
    file: File,
    dialect: Arc<Dialect>,
}

/// A route that a request means.
#[derive(Debug, Clone)]
pub struct FoundRoute {
    /// Whose it is.
    pub dialect: Arc<Dialect>,
    /// Which.
    pub route: Arc<Route>,
    /// The parameters of the path, as they stand in it.
    pub parameters: Vec<(String, String)>,
}

impl Catalog {
    /// Reads and compiles everything that is selected. What is as it was in `before` is taken from there.
    ///
    /// # Errors
    /// Every mistake in every file, and what two files both claim.
    pub(super) fn load(selection: Selection<'_>, before: Option<&Self>) -> Result<Self, Vec<Mistake>> {
        let mut mistakes = Vec::new();
        let files = files::read(selection, &mut mistakes);
        Self::compile(files, selection.default, before, mistakes)
    }

    /// Compiles files; `mistakes` are those that were found before.
    pub(super) fn compile(
        files: Vec<File>,
        default: &str,
        before: Option<&Self>,
        mut mistakes: Vec<Mistake>,
    ) -> Result<Self, Vec<Mistake>> {
        let mut indices = Indices::beside(before);
        let mut dialects = Vec::new();
        for file in files {
            if let Some(dialect) = before.and_then(|before| before.unchanged(&file)) {
                dialects.push(Loaded { file, dialect });
                continue;
            }
            match validate::compile(&file.name, &file.text, indices.next()) {
                Ok(dialect) => dialects.push(Loaded { file, dialect: Arc::new(dialect) }),
                Err(found) => mistakes.extend(found),
            }
        }
        let mut catalog = Self::of(dialects, default, &mut mistakes);
        if !mistakes.is_empty() {
            return Err(mistakes);
        }
        catalog.retired = before.map(|before| before.retired_beside(&catalog)).unwrap_or_default();
        Ok(catalog)
    }

    fn of(dialects: Vec<Loaded>, default: &str, mistakes: &mut Vec<Mistake>) -> Self {
        // The default may be in a file that could not be compiled.
        let every_file_is_right = mistakes.is_empty();
        let named: Vec<(&str, Arc<Dialect>)> =
            dialects.iter().map(|loaded| (&*loaded.file.name, Arc::clone(&loaded.dialect))).collect();
        let mut claims = Claims { dialects: &named, mistakes };
        let by_name = claims.index("name", |dialect| vec![dialect.name.clone()]);
        let by_namespace = claims.index("namespaces", |dialect| dialect.namespaces.clone());
        let by_host = claims.index("hosts", |dialect| dialect.hosts.clone());
        let by_path = claims.index("paths", |dialect| dialect.paths.clone());
        let routes = claims.routes();
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
            dialects,
            retired: Vec::new(),
            default: default_index.unwrap_or_default(),
            by_name,
            by_namespace,
            by_host,
            by_path,
            routes,
        }
    }

    /// The dialect of a file that is as it was. One with keys of its own is read again: they are in other files.
    fn unchanged(&self, file: &File) -> Option<Arc<Dialect>> {
        let mut same =
            self.dialects.iter().filter(|one| one.file.name == file.name && one.file.text == file.text);
        same.next().map(|one| Arc::clone(&one.dialect)).filter(|dialect| dialect.tokens().keys.is_none())
    }

    /// What of this is not in `next`, and yet of use to somebody.
    fn retired_beside(&self, next: &Self) -> Vec<Weak<Dialect>> {
        let stays = |dialect: &Arc<Dialect>| next.iter().any(|one| Arc::ptr_eq(one, dialect));
        let earlier = self.retired.iter().filter(|retired| retired.strong_count() > 0).cloned();
        earlier.chain(self.iter().filter(|dialect| !stays(dialect)).map(Arc::downgrade)).collect()
    }

    /// Those for new connections, in the order of their files.
    pub fn iter(&self) -> impl Iterator<Item = &Arc<Dialect>> {
        self.dialects.iter().map(|loaded| &loaded.dialect)
    }

    /// Those, and what sockets still speak that connected earlier.
    pub fn in_use(&self) -> impl Iterator<Item = Arc<Dialect>> {
        self.iter().cloned().chain(self.retired.iter().filter_map(Weak::upgrade))
    }

    /// How many there are for new connections.
    pub fn count(&self) -> usize {
        self.dialects.len()
    }

    /// So many places an array needs that holds something for each that is in use.
    pub(super) fn places(&self) -> usize {
        self.in_use().map(|dialect| dialect.index().get() + 1).max().unwrap_or_default()
    }

    /// The dialect of this name.
    pub fn get(&self, name: &str) -> Option<&Arc<Dialect>> {
        self.at(self.by_name.get(name))
    }

    /// The one that is configured as the default.
    pub fn configured(&self) -> Option<&Arc<Dialect>> {
        self.at(Some(&self.default))
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
    ) -> Option<&Arc<Dialect>> {
        let index = if namespace != ROOT {
            self.by_namespace.get(namespace)?
        } else if let Some(name) = query_dialect {
            self.by_name.get(name)?
        } else {
            let by_path = || self.by_path.get(without_slash(path));
            let by_host = || self.by_host.get(&host_name(host?));
            by_path().or_else(by_host).unwrap_or(&self.default)
        };
        self.at(Some(index))
    }

    /// The route of a request: of the dialect whose namespace the path begins with, then of the one whose host it came to,
    /// then of all that have routes at the root.
    ///
    /// # Errors
    /// With which other methods there is something at this path; with none when there is nothing.
    pub fn route(&self, method: &Method, host: Option<&str>, path: &str) -> Result<FoundRoute, Vec<Method>> {
        let mut methods = Vec::new();
        let mut within = |dialect: &Arc<Dialect>, path: &str| {
            methods.extend(dialect.route_paths.methods(path));
            let (route, parameters) = dialect.route_paths.find(method, path)?;
            Some(FoundRoute { dialect: Arc::clone(dialect), route: Arc::clone(route), parameters })
        };
        let by_namespace = self.iter().find_map(|dialect| {
            let rests = dialect.namespaces().iter().filter_map(|namespace| path.strip_prefix(namespace));
            rests.filter(|rest| rest.starts_with('/')).find_map(|rest| within(dialect, rest))
        });
        let by_host = || within(self.at(self.by_host.get(&host_name(host?)))?, path);
        if let Some(found) = by_namespace.or_else(by_host) {
            return Ok(found);
        }
        methods.extend(self.routes.methods(path));
        let at_root = self.routes.find(method, path).and_then(|((place, route), parameters)| {
            let dialect = Arc::clone(self.at(Some(place))?);
            Some(FoundRoute { dialect, route: Arc::clone(route), parameters })
        });
        at_root.ok_or(methods)
    }

    fn at(&self, index: Option<&usize>) -> Option<&Arc<Dialect>> {
        self.dialects.get(*index?).map(|loaded| &loaded.dialect)
    }
}

/// The indices that no dialect has which anybody holds, the lowest first: what is kept for each dialect in arrays does not
/// grow with every reload.
struct Indices {
    taken: HashSet<usize>,
    next: usize,
}

impl Indices {
    fn beside(before: Option<&Catalog>) -> Self {
        let in_use = before.into_iter().flat_map(Catalog::in_use);
        Self { taken: in_use.map(|dialect| dialect.index().get()).collect(), next: 0 }
    }

    fn next(&mut self) -> DialectIndex {
        while self.taken.contains(&self.next) {
            self.next += 1;
        }
        self.next += 1;
        DialectIndex(self.next - 1)
    }
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
