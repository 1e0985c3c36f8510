//! Where the value of a command's field comes from: a place in the event, filtered, or an object that is put together from
//! several. Checked at start by `validate`; for each event the first source of a list is taken that leads to a value which
//! fits.

mod filter;

use std::borrow::Cow;

use serde_json::{Map, Value};

use super::{
    notation::Notation,
    path::{ArgumentPath, Context},
    vocabulary::Shape,
};
pub(super) use filter::Filter;

/// Where a value comes from.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Source {
    /// What stands at one place, through filters.
    At(ArgumentPath, Vec<Filter>),
    /// An object, with an entry from each of these; those that lead nowhere are left out.
    Object(Vec<(String, Vec<Source>)>),
}

/// What comes in with an event.
pub(super) struct Incoming<'a> {
    pub(super) arguments: &'a mut [Value],
    pub(super) context: Context<'a>,
    pub(super) notation: &'a Notation,
    /// Whether a value stands in for several, so that it has to be copied.
    pub(super) copies: bool,
}

impl Incoming<'_> {
    fn find(&self, path: &ArgumentPath) -> Option<Cow<'_, Value>> {
        path.find(self.arguments, self.context)
    }

    fn take(&mut self, path: &ArgumentPath) -> Option<Value> {
        if self.copies {
            self.find(path).map(Cow::into_owned)
        } else {
            path.take(self.arguments, self.context)
        }
    }
}

/// The value of the first source where there is one that fits, else of the first where there is one, for the command to
/// refuse. `None` when there is none.
pub(super) fn first(sources: &[Source], shape: Shape, incoming: &mut Incoming<'_>) -> Option<Value> {
    let source = match sources {
        [only] => only,
        several => {
            let fitting = several.iter().find(|source| source.fits(shape, incoming));
            fitting.or_else(|| several.iter().find(|source| source.is_there(incoming)))?
        }
    };
    source.value(shape, incoming)
}

impl Source {
    fn is_there(&self, incoming: &Incoming<'_>) -> bool {
        match self {
            Source::At(path, _) => incoming.find(path).is_some(),
            Source::Object(entries) => {
                entries.iter().flat_map(|(_, sources)| sources).any(|source| source.is_there(incoming))
            }
        }
    }

    fn fits(&self, shape: Shape, incoming: &Incoming<'_>) -> bool {
        match self {
            Source::At(path, _) => {
                let shape = at(path, shape);
                incoming.find(path).is_some_and(|value| fits(shape, &value, incoming.notation))
            }
            // `validate` has seen that the field can be one.
            Source::Object(_) => self.is_there(incoming),
        }
    }

    fn value(&self, shape: Shape, incoming: &mut Incoming<'_>) -> Option<Value> {
        match self {
            Source::At(path, filters) => {
                let value = incoming.take(path)?;
                let value = filters.iter().fold(value, |value, filter| filter.apply(value));
                let value =
                    if path.is_canonical() { value } else { incoming.notation.read(at(path, shape), value) };
                Some(if path.is_listed() { Value::Array(vec![value]) } else { value })
            }
            Source::Object(entries) => {
                let mut object = Map::new();
                for (name, sources) in entries {
                    if let Some(value) = first(sources, Shape::Json, incoming) {
                        object.insert(name.clone(), value);
                    }
                }
                let is_item = matches!(shape, Shape::List(_));
                let object = (!object.is_empty()).then_some(Value::Object(object))?;
                Some(if is_item { Value::Array(vec![object]) } else { object })
            }
        }
    }

    /// Every place that it looks at.
    pub(super) fn paths(&self) -> Vec<&ArgumentPath> {
        match self {
            Source::At(path, _) => vec![path],
            Source::Object(entries) => {
                entries.iter().flat_map(|(_, sources)| sources).flat_map(Source::paths).collect()
            }
        }
    }
}

/// The shape of what stands at the place itself.
fn at(path: &ArgumentPath, shape: Shape) -> Shape {
    match shape {
        Shape::List(item) if path.is_listed() => *item,
        shape => shape,
    }
}

/// Whether a value has the JSON type of a field.
pub(super) fn fits(shape: Shape, value: &Value, notation: &Notation) -> bool {
    match shape {
        Shape::Text | Shape::Time => value.is_string(),
        Shape::Number => value.is_number() || value.is_string(),
        Shape::Flag => value.is_boolean(),
        Shape::User => notation.users.fits(value),
        Shape::Conversation => notation.conversations.fits(value),
        Shape::Json => true,
        Shape::Object(_) => value.is_object(),
        Shape::List(_) => value.is_array(),
    }
}
