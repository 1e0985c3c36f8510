//! How many of something each key has at a time.

use std::{
    collections::HashMap,
    fmt,
    hash::Hash,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

/// At most so many places for each key.
pub struct Places<K: Clone + Eq + Hash>(Arc<Taken<K>>);

struct Taken<K> {
    most: usize,
    /// Keys without a place are not there.
    by_key: Mutex<HashMap<K, usize>>,
}

/// A taken place; free again when it is dropped.
pub struct Place<K: Clone + Eq + Hash> {
    taken: Arc<Taken<K>>,
    key: K,
}

impl<K: Clone + Eq + Hash> Places<K> {
    /// All are free.
    pub fn new(most: usize) -> Self {
        Self(Arc::new(Taken { most, by_key: Mutex::default() }))
    }

    /// Takes a place, if the key may have another one.
    pub fn take(&self, key: &K) -> Option<Place<K>> {
        let mut by_key = self.0.lock();
        let count = by_key.get(key).copied().unwrap_or(0);
        if count >= self.0.most {
            return None;
        }
        by_key.insert(key.clone(), count + 1);
        Some(Place { taken: Arc::clone(&self.0), key: key.clone() })
    }
}

impl<K> Taken<K> {
    fn lock(&self) -> MutexGuard<'_, HashMap<K, usize>> {
        self.by_key.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl<K: Clone + Eq + Hash> Drop for Place<K> {
    fn drop(&mut self) {
        let mut by_key = self.taken.lock();
        match by_key.get_mut(&self.key) {
            Some(count) if *count > 1 => *count -= 1,
            _ => {
                by_key.remove(&self.key);
            }
        }
    }
}

impl<K: Clone + Eq + Hash> fmt::Debug for Places<K> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Places").field("keys", &self.0.lock().len()).finish_non_exhaustive()
    }
}

impl<K: Clone + Eq + Hash> fmt::Debug for Place<K> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Place").finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_key_has_so_many_places_and_gets_them_back() {
        let places = Places::new(2);
        let (first, _second) = (places.take(&"a").unwrap(), places.take(&"a").unwrap());
        assert!(places.take(&"a").is_none());
        assert!(places.take(&"b").is_some());
        drop(first);
        let _third = places.take(&"a").unwrap();
        assert!(places.take(&"a").is_none());
    }

    #[test]
    fn a_key_without_a_place_is_not_remembered() {
        let places = Places::new(5);
        let taken = [places.take(&"a").unwrap(), places.take(&"a").unwrap()];
        drop(taken);
        assert!(places.0.lock().is_empty());
    }
}
