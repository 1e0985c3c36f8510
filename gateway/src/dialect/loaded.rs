//! The dialects that a gateway speaks now. What is loaded can be replaced while the gateway runs: new connections get the
//! new dialects, and sockets go on with the one that they connected with.

use std::sync::{
    Arc, PoisonError, RwLock,
    atomic::{AtomicUsize, Ordering},
};

use http::Method;

use super::{
    Dialect, Mistake,
    catalog::{Catalog, FoundRoute, Selection},
};

/// A handle on the dialects; cheap to clone.
#[derive(Debug, Clone)]
pub struct Dialects(Arc<Current>);

#[derive(Debug)]
struct Current {
    catalog: RwLock<Arc<Catalog>>,
    /// Never fewer than there are indices in use.
    places: AtomicUsize,
}

impl Dialects {
    /// Loads the gateway's own dialect, those of applications that are chosen, and every `*.toml` of the folder, in the
    /// order of their names. A file of the folder takes the place of the application's file with the same dialect.
    ///
    /// # Errors
    /// Every mistake in every file, and what two files both claim.
    pub fn load(selection: Selection<'_>) -> Result<Self, Vec<Mistake>> {
        Catalog::load(selection, None).map(Self::of)
    }

    pub(super) fn of(catalog: Catalog) -> Self {
        let places = AtomicUsize::new(catalog.places());
        Self(Arc::new(Current { catalog: RwLock::new(Arc::new(catalog)), places }))
    }

    /// Reads everything again, for [`Dialects::replace`]. A file that is as it was keeps its dialect.
    ///
    /// # Errors
    /// Those of [`Dialects::load`].
    pub fn read_again(&self, selection: Selection<'_>) -> Result<Catalog, Vec<Mistake>> {
        Catalog::load(selection, Some(&self.catalog()))
    }

    /// From now on these are meant. They were read while the others were in place: one reload follows the other.
    pub fn replace(&self, next: Catalog) {
        // Before anybody can have a dialect with a new index.
        self.0.places.fetch_max(next.places(), Ordering::Relaxed);
        *self.0.catalog.write().unwrap_or_else(PoisonError::into_inner) = Arc::new(next);
    }

    /// Those of this moment.
    pub fn catalog(&self) -> Arc<Catalog> {
        self.0.catalog.read().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// An array of so many places has one for nearly every index in use: a dialect that was loaded since can be beyond.
    pub(crate) fn places(&self) -> usize {
        self.0.places.load(Ordering::Relaxed)
    }

    /// Those for new connections, in the order of their files.
    pub fn iter(&self) -> impl Iterator<Item = Arc<Dialect>> + use<> {
        let dialects: Vec<_> = self.catalog().iter().cloned().collect();
        dialects.into_iter()
    }

    /// Whether this is so of some dialect that a socket can speak.
    pub(crate) fn any_in_use(&self, what: impl Fn(&Dialect) -> bool) -> bool {
        self.catalog().in_use().any(|dialect| what(&dialect))
    }

    /// How many there are for new connections.
    pub fn count(&self) -> usize {
        self.catalog().count()
    }

    /// The dialect of this name.
    pub fn get(&self, name: &str) -> Option<Arc<Dialect>> {
        self.catalog().get(name).cloned()
    }

    /// The one that is configured as the default.
    pub fn configured(&self) -> Option<Arc<Dialect>> {
        self.catalog().configured().cloned()
    }

    /// The dialect of a handshake, see [`Catalog::select`].
    pub fn select(
        &self,
        namespace: &str,
        query_dialect: Option<&str>,
        host: Option<&str>,
        path: &str,
    ) -> Option<Arc<Dialect>> {
        self.catalog().select(namespace, query_dialect, host, path).cloned()
    }

    /// The route of a request.
    ///
    /// # Errors
    /// Those of [`Catalog::route`].
    pub fn route(&self, method: &Method, host: Option<&str>, path: &str) -> Result<FoundRoute, Vec<Method>> {
        self.catalog().route(method, host, path)
    }
}

#[cfg(test)]
mod tests;
