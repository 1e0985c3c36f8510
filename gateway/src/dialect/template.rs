//! Payload templates: compiled once from a file's TOML, then written straight to JSON for each event.
//!
//! A text that is one placeholder keeps the type of what it stands for; placeholders within a longer text
//! become text. `docs/dialects.md` has the language.

use serde_json::{Map, Value};

use super::{
    notation::{Notation, TimeForm, Written},
    vocabulary::Shape,
};

mod compile;
mod condition;
mod place;
mod placeholder;
mod render;

pub(super) use compile::{compile, items};
pub(super) use condition::Condition;
pub(super) use placeholder::Scope;
pub(super) use render::render;

/// A compiled template.
#[derive(Debug, Clone, PartialEq)]
pub(super) enum Template {
    /// Always the same.
    Constant(Value),
    /// What one placeholder stands for, with its type.
    Field(Placeholder),
    /// A text with placeholders in it.
    Text(Vec<Part>),
    /// An object.
    Object(Object),
    /// A list of given length.
    List(Vec<Template>),
    /// A list with one item for each item of a canonical list.
    Each(Source, Box<Template>),
    /// An object with one entry for each item of a canonical list, by what stands at the path in the item.
    Keyed(Source, Source, Box<Template>),
}

/// A piece of a text.
#[derive(Debug, Clone, PartialEq)]
pub(super) enum Part {
    /// As it stands.
    Literal(String),
    /// To be filled.
    Field(Placeholder),
}

/// The entries of an object, and the object whose other entries are taken over.
#[derive(Debug, Clone, Default, PartialEq)]
pub(super) struct Object {
    entries: Vec<(String, Template)>,
    spread: Option<Placeholder>,
}

/// `{path ?? path ?? literal | filter}` or `{path?}`.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Placeholder {
    sources: Vec<Source>,
    fallback: Option<Value>,
    omitted_when_absent: bool,
    filter: Option<Filter>,
}

/// Where a path starts.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Base {
    /// The event, the reply or the failure.
    Root,
    /// The item of the list that is being written.
    Item,
    /// The canonical fields of the command that is answered.
    Request,
}

/// A checked path to a canonical value.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Source {
    base: Base,
    /// The names of fields, and in lists the places of items.
    keys: Vec<String>,
    shape: Shape,
}

/// What is done to a value on its way.
#[derive(Debug, Clone, PartialEq, Eq)]
enum Filter {
    /// Upper case.
    Upper,
    /// Lower case.
    Lower,
    /// Whether there is a value.
    Present,
    /// Whether it is this text.
    Is(String),
    /// A number that is so much higher.
    Plus(i64),
    /// A time in a form of its own.
    Time(TimeForm),
}

/// What a template is filled from.
#[derive(Debug, Clone, Copy)]
pub(super) struct Data<'a> {
    root: &'a Value,
    item: &'a Value,
    request: Option<&'a Map<String, Value>>,
    notation: &'a Notation,
}

impl<'a> Data<'a> {
    pub(super) fn new(root: &'a Value, notation: &'a Notation) -> Self {
        Self { root, item: root, request: None, notation }
    }

    /// The same, in answer to a command with these fields.
    pub(super) fn with_request(self, request: &'a Map<String, Value>) -> Self {
        Self { request: Some(request), ..self }
    }

    /// The same for each item of a list of the event; nothing when it is absent.
    pub(super) fn items(self, list: &Source) -> impl Iterator<Item = Self> {
        let items = list.find(self).and_then(|found| found.value.as_array());
        items.into_iter().flatten().map(move |item| Self { item, ..self })
    }

    fn written(self, value: &'a Value, shape: Shape) -> Written<'a> {
        Written { value, shape, notation: self.notation }
    }
}

impl Template {
    /// The fields of the command that the template repeats.
    pub(super) fn request_fields(&self, names: &mut Vec<String>) {
        self.sources(&mut |source| source.request_field(names));
    }

    /// Whether it has a field of the event or the reply, or all of them.
    pub(super) fn reads(&self, field: &str) -> bool {
        let mut reads = false;
        self.sources(&mut |source| reads |= source.reads(field));
        reads
    }

    /// Whether it has just this field of the event or the reply; to have all of them is not enough.
    pub(super) fn names(&self, field: &str) -> bool {
        let mut names = false;
        self.sources(&mut |source| names |= source.names(field));
        names
    }

    /// Everything that it is filled from.
    fn sources<'a>(&'a self, each: &mut impl FnMut(&'a Source)) {
        match self {
            Template::Constant(_) => {}
            Template::Field(placeholder) => placeholder.sources.iter().for_each(each),
            Template::Text(parts) => {
                for part in parts {
                    if let Part::Field(placeholder) = part {
                        placeholder.sources.iter().for_each(&mut *each);
                    }
                }
            }
            Template::Object(object) => {
                object.spread.iter().flat_map(|spread| &spread.sources).for_each(&mut *each);
                for (_, template) in &object.entries {
                    template.sources(each);
                }
            }
            Template::List(items) => items.iter().for_each(|item| item.sources(each)),
            Template::Each(source, item) => {
                each(source);
                item.sources(each);
            }
            Template::Keyed(source, key, item) => {
                each(source);
                each(key);
                item.sources(each);
            }
        }
    }
}

impl Source {
    /// Whether it is a field of the event or the reply, or all of them.
    pub(super) fn reads(&self, field: &str) -> bool {
        self.base == Base::Root && self.keys.first().is_none_or(|key| key == field)
    }

    /// Whether it is a list of the canonical vocabulary.
    pub(super) fn is_listed(&self) -> bool {
        matches!(self.shape, Shape::List(_))
    }

    fn names(&self, field: &str) -> bool {
        self.base == Base::Root && self.keys.first().is_some_and(|key| key == field)
    }

    fn request_field(&self, names: &mut Vec<String>) {
        if let (Base::Request, Some(name)) = (self.base, self.keys.first())
            && !names.contains(name)
        {
            names.push(name.clone());
        }
    }
}

#[cfg(test)]
mod tests;
