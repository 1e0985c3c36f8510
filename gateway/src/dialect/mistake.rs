//! Mistakes in dialect files: gathered, not thrown, so that one run names them all.

use std::{cell::RefCell, fmt};

/// Something in a dialect file that cannot be right.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Mistake {
    /// The file, as the operator named it.
    pub file: String,
    /// The key, with the sections that lead to it; empty when the whole file is meant.
    pub key: String,
    /// What is wrong.
    pub problem: String,
    /// What to write instead, when there is something to say.
    pub hint: Option<String>,
}

impl fmt::Display for Mistake {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: ", self.file)?;
        if !self.key.is_empty() {
            write!(f, "{}: ", self.key)?;
        }
        f.write_str(&self.problem)?;
        match &self.hint {
            Some(hint) => write!(f, " (hint: {hint})"),
            None => Ok(()),
        }
    }
}

/// The mistakes of one file while it is read. Shared by reference between the sections that are open.
#[derive(Debug)]
pub(super) struct Mistakes {
    file: String,
    found: RefCell<Vec<Mistake>>,
}

impl Mistakes {
    pub(super) fn of(file: &str) -> Self {
        Self { file: file.to_owned(), found: RefCell::default() }
    }

    pub(super) fn add(&self, key: &str, problem: impl Into<String>) {
        self.push(key, problem.into(), None);
    }

    pub(super) fn add_with_hint(&self, key: &str, problem: impl Into<String>, hint: impl Into<String>) {
        self.push(key, problem.into(), Some(hint.into()));
    }

    fn push(&self, key: &str, problem: String, hint: Option<String>) {
        self.found.borrow_mut().push(Mistake { file: self.file.clone(), key: key.to_owned(), problem, hint });
    }

    /// The file, as the operator named it.
    pub(super) fn file(&self) -> &str {
        &self.file
    }

    pub(super) fn count(&self) -> usize {
        self.found.borrow().len()
    }

    pub(super) fn into_vec(self) -> Vec<Mistake> {
        self.found.into_inner()
    }
}

/// The hint for a word that should be one of `known`: the nearest one, or all of them.
pub(super) fn did_you_mean<'a>(word: &str, known: impl IntoIterator<Item = &'a str>) -> String {
    let known: Vec<&str> = known.into_iter().collect();
    let nearest = known
        .iter()
        .map(|candidate| (strsim::levenshtein(word, candidate), *candidate))
        .min()
        .filter(|(distance, candidate)| *distance * 2 <= candidate.len());
    match nearest {
        Some((_, candidate)) => format!("did you mean `{candidate}`?"),
        None if known.is_empty() => String::from("there is nothing to choose from here"),
        None => format!("it is one of {}", known.join(", ")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_hint_names_the_nearest_word_or_all() {
        assert_eq!(did_you_mean("contnet", ["type", "content"]), "did you mean `content`?");
        assert_eq!(did_you_mean("zzzzzz", ["type", "content"]), "it is one of type, content");
    }
}
