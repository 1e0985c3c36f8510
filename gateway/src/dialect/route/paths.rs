//! Which route a method and a path are. Fixed parts of a path win over parameters.

use http::Method;
use matchit::{InsertError, Router};

/// Routes by method and path.
#[derive(Debug, Clone)]
pub(in crate::dialect) struct Paths<T> {
    by_method: Vec<(Method, Router<T>)>,
}

/// What was found, and the parameters of the path as they stand in it.
pub(in crate::dialect) type Match<'a, T> = (&'a T, Vec<(String, String)>);

impl<T> Default for Paths<T> {
    fn default() -> Self {
        Self { by_method: Vec::new() }
    }
}

impl<T> Paths<T> {
    /// # Errors
    /// Which path there is already that means the same.
    pub(in crate::dialect) fn insert(&mut self, method: &Method, path: &str, value: T) -> Result<(), String> {
        let place = match self.by_method.iter().position(|(known, _)| known == method) {
            Some(place) => place,
            None => {
                self.by_method.push((method.clone(), Router::new()));
                self.by_method.len() - 1
            }
        };
        let Some((_, router)) = self.by_method.get_mut(place) else { return Ok(()) };
        router.insert(path, value).map_err(|error| match error {
            InsertError::Conflict { with } => format!("`{method} {with}` is there already"),
            other => other.to_string(),
        })
    }

    /// The route that a request means. A slash at the end says nothing.
    pub(in crate::dialect) fn find(&self, method: &Method, path: &str) -> Option<Match<'_, T>> {
        let (_, router) = self.by_method.iter().find(|(known, _)| known == method)?;
        let found = router.at(path.strip_suffix('/').unwrap_or(path)).ok()?;
        let parameters = found.params.iter().map(|(name, value)| (name.to_owned(), value.to_owned()));
        Some((found.value, parameters.collect()))
    }

    /// The methods that there are for a path.
    pub(in crate::dialect) fn methods(&self, path: &str) -> Vec<Method> {
        let methods = self.by_method.iter().map(|(method, _)| method);
        methods.filter(|method| self.find(method, path).is_some()).cloned().collect()
    }
}

/// The names of a path's parameters.
///
/// # Errors
/// What is wrong with the path.
pub(super) fn parameters(path: &str) -> Result<Vec<&str>, String> {
    let Some(rest) = path.strip_prefix('/') else {
        return Err(format!("`{path}` does not begin with a slash"));
    };
    let mut names = Vec::new();
    for part in rest.split('/') {
        let parameter = part.strip_prefix('{').and_then(|part| part.strip_suffix('}'));
        let is_word = |text: &str| {
            !text.is_empty()
                && text.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"-._~".contains(&byte))
        };
        match parameter {
            Some(name) if !is_word(name) || name.contains(['.', '~', '-']) => {
                return Err(format!("`{part}` is no parameter: its name has letters, digits and _"));
            }
            Some(name) if names.contains(&name) => return Err(format!("`{part}` stands here twice")),
            Some(name) => names.push(name),
            None if !is_word(part) => {
                return Err(format!("`{part}` is no part of a path: it has letters, digits and - . _ ~"));
            }
            None => {}
        }
    }
    Ok(names)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn fixed_parts_win_over_parameters_and_methods_are_apart() {
        let mut paths = Paths::default();
        paths.insert(&Method::GET, "/rooms/{id}", 1).unwrap();
        paths.insert(&Method::GET, "/rooms/all", 2).unwrap();
        paths.insert(&Method::POST, "/rooms/{room}", 3).unwrap();
        let found = |method: &Method, path: &str| {
            paths.find(method, path).map(|(value, parameters)| (*value, parameters))
        };
        let named = |name: &str, value: &str| vec![(name.to_owned(), value.to_owned())];
        assert_eq!(found(&Method::GET, "/rooms/7"), Some((1, named("id", "7"))));
        assert_eq!(found(&Method::GET, "/rooms/all/"), Some((2, Vec::new())));
        assert_eq!(found(&Method::POST, "/rooms/all"), Some((3, named("room", "all"))));
        assert_eq!(found(&Method::GET, "/rooms/a%2Fb"), Some((1, named("id", "a%2Fb"))));
        for nothing in ["/rooms", "/rooms/", "/rooms/7/x", "/", "", "rooms/7"] {
            assert_eq!(found(&Method::GET, nothing), None, "{nothing}");
        }
        assert_eq!(found(&Method::DELETE, "/rooms/7"), None);
        assert_eq!(paths.methods("/rooms/7"), [Method::GET, Method::POST]);
        assert!(paths.methods("/other").is_empty());
    }

    #[test]
    fn two_paths_that_mean_the_same_are_refused() {
        let mut paths = Paths::default();
        paths.insert(&Method::GET, "/rooms/{id}/x", 1).unwrap();
        let refused = paths.insert(&Method::GET, "/rooms/{other}/x", 2).unwrap_err();
        assert_eq!(refused, "`GET /rooms/{id}/x` is there already");
        assert_eq!(paths.insert(&Method::PUT, "/rooms/{other}/x", 2), Ok(()));
    }

    #[test]
    fn a_path_is_made_of_words_and_parameters() {
        assert_eq!(parameters("/api/clients/{cid}/diets/{did_2}/messages"), Ok(vec!["cid", "did_2"]));
        assert_eq!(parameters("/health"), Ok(Vec::new()));
        for bad in [
            "", "health", "/", "/a/", "//a", "/a b", "/{}", "/{a", "/a}", "/{a}{b}", "/x{a}", "/{*a}",
            "/{a}/{a}", "/a?b", "/%20", "/{{a}}",
        ] {
            assert!(parameters(bad).is_err(), "{bad:?}");
        }
    }
}
