//! What only one dialect can have: who has it, and who else wants it.

use std::{collections::HashMap, sync::Arc};

use super::super::{Dialect, Mistake, Route, route::Paths};

pub(super) struct Claims<'a> {
    /// Each with the name of its file.
    pub(super) dialects: &'a [(&'a str, Arc<Dialect>)],
    pub(super) mistakes: &'a mut Vec<Mistake>,
}

impl Claims<'_> {
    /// Who has each of the words that only one dialect can have.
    pub(super) fn index(
        &mut self,
        key: &str,
        words: impl Fn(&Dialect) -> Vec<String>,
    ) -> HashMap<String, usize> {
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

impl Claims<'_> {
    /// The routes at the root, which no two can share; and of each dialect those that nobody could ever reach.
    pub(super) fn routes(&mut self) -> Paths<(usize, Arc<Route>)> {
        let mut paths = Paths::default();
        let socket_paths: Vec<&String> =
            self.dialects.iter().flat_map(|(_, dialect)| &dialect.paths).collect();
        for (place, (file, dialect)) in self.dialects.iter().enumerate() {
            let mut note = |key: String, problem: String, hint: &str| {
                let (file, hint) = ((*file).to_owned(), Some(hint.to_owned()));
                self.mistakes.push(Mistake { file, key, problem, hint });
            };
            for namespace in dialect.namespaces() {
                if !dialect.routes().is_empty() && crate::rest::serves(namespace) {
                    let problem = format!("`{namespace}` is a path of the gateway's own");
                    note("route".to_owned(), problem, "give the dialect another name or namespace");
                }
            }
            for route in dialect.routes() {
                let key = format!("route[{}].path", route.name());
                for path in route.paths() {
                    if socket_paths.contains(&path) {
                        let problem = "clients connect there, in this dialect or another";
                        note(key.clone(), problem.to_owned(), "give the route or the sockets another path");
                    }
                    if route.is_at_root()
                        && let Err(problem) = paths.insert(route.method(), path, (place, Arc::clone(route)))
                    {
                        let hint =
                            "with `root = false` it is served under /<name> and at the dialect's hosts";
                        note(key.clone(), problem, hint);
                    }
                }
            }
        }
        paths
    }
}
