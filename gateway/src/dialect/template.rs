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
        let mut note = |placeholder: &Placeholder| {
            for source in &placeholder.sources {
                source.request_field(names);
            }
        };
        match self {
            Template::Constant(_) => {}
            Template::Field(placeholder) => note(placeholder),
            Template::Text(parts) => {
                for part in parts {
                    if let Part::Field(placeholder) = part {
                        note(placeholder);
                    }
                }
            }
            Template::Object(object) => {
                object.spread.iter().for_each(note);
                for (_, template) in &object.entries {
                    template.request_fields(names);
                }
            }
            Template::List(items) => items.iter().for_each(|item| item.request_fields(names)),
            Template::Each(source, item) => {
                source.request_field(names);
                item.request_fields(names);
            }
        }
    }
}

impl Source {
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
