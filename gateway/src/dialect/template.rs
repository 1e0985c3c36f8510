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
mod placeholder;
mod render;

pub(super) use compile::compile;
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
    keys: Vec<String>,
    shape: Shape,
}

/// What is done to a value on its way.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Filter {
    /// Upper case.
    Upper,
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
        }
    }
}

impl Source {
    fn reads(&self, field: &str) -> bool {
        self.base == Base::Root && self.keys.first().is_none_or(|key| key == field)
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
