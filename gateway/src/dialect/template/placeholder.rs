//! Reads what stands between the braces of a placeholder, and checks it against what can be filled in.

use parlance_domain::command::CommandName;

use super::{
    super::{
        mistake::{Mistakes, did_you_mean},
        notation::TimeForm,
        vocabulary::{self, Shape},
    },
    Base, Filter, Placeholder, Source,
};

/// What a template at one place of the file can be filled from.
#[derive(Debug, Clone, Copy)]
pub(in crate::dialect) struct Scope {
    /// The event, the reply or the failure.
    pub(in crate::dialect) root: Shape,
    /// The item, inside of a list.
    pub(in crate::dialect) item: Option<Shape>,
    /// The command that is answered.
    pub(in crate::dialect) request: Option<CommandName>,
}

impl Scope {
    /// The scope of an event.
    pub(in crate::dialect) fn of(root: Shape) -> Self {
        Self { root, item: None, request: None }
    }

    /// The scope of an answer to `command`.
    pub(in crate::dialect) fn answering(root: Shape, command: CommandName) -> Self {
        Self { root, item: None, request: Some(command) }
    }
}

impl Placeholder {
    /// Reads the text between the braces. A mistake is noted under `key`, and what can be read is returned.
    pub(super) fn parse(text: &str, key: &str, scope: &Scope, mistakes: &Mistakes) -> Self {
        let mut placeholder =
            Placeholder { sources: Vec::new(), fallback: None, omitted_when_absent: false, filter: None };
        let mut pieces = split(text, "|").into_iter();
        let mut alternatives = split(pieces.next().unwrap_or_default(), "??");
        if let Some(last) = alternatives.last_mut()
            && let Some(rest) = last.strip_suffix('?')
        {
            placeholder.omitted_when_absent = true;
            *last = rest.trim_end();
        }
        for alternative in alternatives {
            if placeholder.fallback.is_some() {
                mistakes.add(key, format!("`{alternative}` in `{{{text}}}` is never reached"));
            } else if is_literal(alternative) {
                match serde_json::from_str(alternative) {
                    Ok(value) => placeholder.fallback = Some(value),
                    Err(_) => mistakes.add(key, format!("`{alternative}` is no JSON text, number or word")),
                }
            } else if let Some(source) = Source::parse(alternative, key, scope, mistakes) {
                placeholder.sources.push(source);
            }
        }
        if placeholder.omitted_when_absent && placeholder.fallback.is_some() {
            mistakes.add(key, format!("`{{{text}}}` is never absent, so `?` says nothing"));
        }
        for filter in pieces {
            placeholder.add_filter(filter, key, mistakes);
        }
        placeholder
    }

    fn add_filter(&mut self, text: &str, key: &str, mistakes: &Mistakes) {
        let (filter, wanted) = match Filter::parse(text) {
            Ok(parsed) => parsed,
            Err((problem, hint)) => {
                mistakes.add_with_hint(key, problem, hint);
                return;
            }
        };
        if !wanted.is_met_by(self.shapes()) {
            mistakes.add(key, format!("`{text}` is for {} only", wanted.as_str()));
        }
        if filter == Filter::Present && (self.omitted_when_absent || self.fallback.is_some()) {
            mistakes.add(key, "`present` says whether there is a value, so `?` and a default say nothing");
        }
        if self.filter.replace(filter).is_some() {
            mistakes.add(key, format!("`{text}` is a second filter"));
        }
    }

    /// Whether it can stand for more than a text, a number or a word.
    pub(super) fn is_compound(&self) -> bool {
        self.filter != Some(Filter::Present)
            && self.shapes().any(|shape| matches!(shape, Shape::Object(_) | Shape::List(_)))
    }

    /// The shapes that it can stand for.
    pub(super) fn shapes(&self) -> impl Iterator<Item = Shape> {
        self.sources.iter().map(|source| source.shape)
    }
}

/// What a filter is for.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Wanted {
    Anything,
    Texts,
    Numbers,
    Times,
}

impl Wanted {
    /// The application's own JSON can be anything; a filter leaves what it is not for as it is.
    fn is_met_by(self, mut shapes: impl Iterator<Item = Shape>) -> bool {
        shapes.all(|shape| match self {
            Wanted::Anything => true,
            Wanted::Texts => matches!(shape, Shape::Text | Shape::Json),
            Wanted::Numbers => matches!(shape, Shape::Number | Shape::Json),
            Wanted::Times => shape == Shape::Time,
        })
    }

    fn as_str(self) -> &'static str {
        match self {
            Wanted::Anything => "anything",
            Wanted::Texts => "texts",
            Wanted::Numbers => "numbers",
            Wanted::Times => "times",
        }
    }
}

impl Filter {
    /// Reads what stands behind a `|`, else gives the problem and a hint.
    fn parse(text: &str) -> Result<(Self, Wanted), (String, String)> {
        let (word, argument) = match text.split_once(char::is_whitespace) {
            Some((word, argument)) => (word, argument.trim()),
            None => (text, ""),
        };
        let plain = match word {
            "upper" => Some((Filter::Upper, Wanted::Texts)),
            "lower" => Some((Filter::Lower, Wanted::Texts)),
            "present" => Some((Filter::Present, Wanted::Anything)),
            "ms" => Some((Filter::Time(TimeForm::EpochMs), Wanted::Times)),
            "iso" => Some((Filter::Time(TimeForm::Iso), Wanted::Times)),
            _ => None,
        };
        match (word, plain) {
            (_, Some(plain)) if argument.is_empty() => Ok(plain),
            (_, Some(_)) => Err((format!("`{text}` says more than `{word}`"), format!("{{… | {word}}}"))),
            ("is", _) => match compared(argument) {
                Some(wanted) => Ok((Filter::Is(wanted), Wanted::Texts)),
                None => Err((format!("`{text}` names no text"), String::from("{… | is read}"))),
            },
            ("plus", _) => match argument.parse() {
                Ok(number) => Ok((Filter::Plus(number), Wanted::Numbers)),
                Err(_) => Err((format!("`{text}` names no whole number"), String::from("{… | plus 1}"))),
            },
            _ => {
                let known = ["upper", "lower", "present", "is", "plus", "ms", "iso"];
                Err((format!("`{word}` is an unknown filter"), did_you_mean(word, known)))
            }
        }
    }
}

/// The text of `is word` and `is "a text"`.
fn compared(argument: &str) -> Option<String> {
    if argument.starts_with('"') {
        return serde_json::from_str(argument).ok();
    }
    (!argument.is_empty() && !argument.contains(char::is_whitespace)).then(|| argument.to_owned())
}

impl Source {
    /// Reads a path. `None` when it names something that the scope has not, which is noted.
    pub(super) fn parse(path: &str, key: &str, scope: &Scope, mistakes: &Mistakes) -> Option<Self> {
        let mut keys: Vec<String> = path.split('.').map(str::to_owned).collect();
        if keys.iter().any(String::is_empty) {
            mistakes.add_with_hint(key, format!("`{path}` is no path"), "{a.b} is a field, {$} everything");
            return None;
        }
        let start = keys.first().map(String::as_str);
        let (base, mut shape, named) = match (start, scope.item, scope.request) {
            (Some("$"), _, _) => (Base::Root, scope.root, true),
            (Some("@"), Some(item), _) => (Base::Item, item, true),
            (Some("request"), _, Some(command)) => return Self::in_request(keys, command, key, mistakes),
            (_, Some(item), _) => (Base::Item, item, false),
            (_, None, _) => (Base::Root, scope.root, false),
        };
        if named {
            keys.remove(0);
        }
        for name in &keys {
            let Some(inner) = inner(shape, name) else {
                unknown(path, name, shape.names(), key, mistakes);
                return None;
            };
            shape = inner;
        }
        Some(Self { base, keys, shape })
    }

    fn in_request(
        mut keys: Vec<String>,
        command: CommandName,
        key: &str,
        mistakes: &Mistakes,
    ) -> Option<Self> {
        keys.remove(0);
        let name = keys.first().map(String::as_str).unwrap_or_default();
        let Some(mut shape) = vocabulary::argument(command, name) else {
            let path = format!("request.{name}");
            unknown(&path, name, command.fields().to_vec(), key, mistakes);
            return None;
        };
        for name in keys.iter().skip(1) {
            let free = matches!(shape, Shape::Json | Shape::Object(&[]));
            if !free {
                unknown(&format!("request.{}", keys.join(".")), name, Vec::new(), key, mistakes);
                return None;
            }
            shape = Shape::Json;
        }
        Some(Self { base: Base::Request, keys, shape })
    }
}

/// The shape of a field, or of the item at a place of a list.
fn inner(shape: Shape, name: &str) -> Option<Shape> {
    match shape {
        Shape::List(item) if place(name).is_some() => Some(*item),
        _ => shape.field(name),
    }
}

/// The place in a list, from 0 on, that a step of a path means.
pub(super) fn place(step: &str) -> Option<usize> {
    step.bytes().all(|byte| byte.is_ascii_digit()).then(|| step.parse().ok()).flatten()
}

fn unknown(path: &str, name: &str, known: Vec<&'static str>, key: &str, mistakes: &Mistakes) {
    mistakes.add_with_hint(
        key,
        format!("`{{{path}}}` can never be filled: there is no `{name}`"),
        did_you_mean(name, known),
    );
}

fn is_literal(text: &str) -> bool {
    matches!(text, "true" | "false" | "null")
        || text.starts_with(|first: char| first == '"' || first == '-' || first.is_ascii_digit())
}

/// The trimmed pieces between the separators that stand outside of double quotes.
fn split<'t>(text: &'t str, separator: &str) -> Vec<&'t str> {
    let mut pieces = Vec::new();
    let mut rest = text;
    let mut from = 0;
    while let Some(found) = rest.get(from..).and_then(|tail| tail.find(separator)) {
        let at = from + found;
        let (before, after) = rest.split_at(at);
        from = at + separator.len();
        if before.matches('"').count() % 2 == 0 {
            pieces.push(before.trim());
            rest = after.get(separator.len()..).unwrap_or_default();
            from = 0;
        }
    }
    pieces.push(rest.trim());
    pieces
}
