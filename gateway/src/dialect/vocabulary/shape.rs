//! What canonical values are, which decides how they are written on a wire.

/// What a canonical value is, which decides how it is written on a wire.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in crate::dialect) enum Shape {
    /// A text.
    Text,
    /// A number.
    Number,
    /// True or false.
    Flag,
    /// A point in time.
    Time,
    /// The id of a user.
    User,
    /// The id of a conversation.
    Conversation,
    /// The application's own JSON; its fields are not known here.
    Json,
    /// Known fields.
    Object(&'static [Field]),
    /// A list.
    List(&'static Shape),
}

/// A field of an object.
#[derive(Debug, PartialEq, Eq)]
pub(in crate::dialect) struct Field {
    pub(in crate::dialect) name: &'static str,
    pub(in crate::dialect) shape: Shape,
}

pub(super) const fn field(name: &'static str, shape: Shape) -> Field {
    Field { name, shape }
}

impl Shape {
    /// The shape of a field, `None` when there is no such field.
    pub(in crate::dialect) fn field(self, name: &str) -> Option<Shape> {
        match self {
            Shape::Json => Some(Shape::Json),
            Shape::Object(fields) => fields.iter().find(|field| field.name == name).map(|field| field.shape),
            _ => None,
        }
    }

    /// The names of the fields that are known.
    pub(in crate::dialect) fn names(self) -> Vec<&'static str> {
        match self {
            Shape::Object(fields) => fields.iter().map(|field| field.name).collect(),
            _ => Vec::new(),
        }
    }
}
