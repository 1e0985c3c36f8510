//! Checks the inbound rules: which command an event is, and where the command's fields come from.

use std::{collections::HashMap, sync::Arc};

use parlance_domain::command::CommandName;
use serde_json::Value;
use toml::Table;

use super::{
    super::{
        answer::{Answering, Failure},
        decode::{Conditions, FieldRule, Rule, RuleId},
        mistake::{Mistakes, did_you_mean},
        notation::Notation,
        path::ArgumentPath,
        section::join,
        source::{Source, fits},
        table::{self, File, Inbound},
        vocabulary::{self, Shape},
    },
    check_event, forms, source,
};

/// Compiles the rules, in the order of the file. One with an unknown command has no place among them: the
/// dialect is not used then.
pub(super) fn rules(
    file: &File,
    notation: &Notation,
    failure: &Arc<Failure>,
    mistakes: &Mistakes,
) -> Vec<Rule> {
    let compiled = file.inbound.iter().filter_map(|rule| {
        let command = command(rule, mistakes)?;
        let answering = forms::answering(file, rule, command, notation, failure, mistakes);
        Some(self::rule(rule, command, answering, notation, mistakes))
    });
    compiled.collect()
}

/// Compiles what asks for a command: an event, or a request.
pub(in crate::dialect) fn rule(
    rule: &Inbound,
    command: CommandName,
    answering: Answering,
    notation: &Notation,
    mistakes: &Mistakes,
) -> Rule {
    let fields = fields(rule, command, notation, mistakes);
    let mut repeated = Vec::new();
    let forms = [&answering.success, &answering.failure.form];
    forms.into_iter().for_each(|form| form.request_fields(&mut repeated));
    Rule {
        event: Arc::from(rule.event.as_deref().unwrap_or_default()),
        command,
        conditions: conditions(rule, mistakes),
        shares_values: share_values(&fields),
        fields,
        repeated,
        answering,
    }
}

/// The rules for each event name. Rules for one name are tried in the order of the file, so each but the last
/// needs a condition, and no two the same.
pub(super) fn by_event(file: &File, mistakes: &Mistakes) -> HashMap<Arc<str>, Vec<RuleId>> {
    let mut by_event: HashMap<Arc<str>, Vec<RuleId>> = HashMap::new();
    for (place, rule) in file.inbound.iter().enumerate() {
        let names = rule.event.iter().map(|event| (event, "event"));
        let aliases = rule.aliases.iter().map(|alias| (alias, "aliases"));
        for (event, key) in names.chain(aliases) {
            let key = join(&rule.key, key);
            check_event(event, &key, mistakes);
            let rules = by_event.entry(Arc::from(event.as_str())).or_default();
            let earlier = rules.iter().filter_map(|id| file.inbound.get(id.0));
            let takes_all = |earlier: &Inbound| {
                earlier.conditions == table::Conditions::default() || earlier.conditions == rule.conditions
            };
            if earlier.into_iter().any(takes_all) {
                mistakes.add_with_hint(
                    &key,
                    format!("an earlier rule takes every `{event}`"),
                    "give the earlier one a `when`, `present` or `absent`",
                );
            }
            rules.push(RuleId(place));
        }
    }
    by_event
}

fn command(rule: &Inbound, mistakes: &Mistakes) -> Option<CommandName> {
    let word = rule.command.as_deref()?;
    let key = join(&rule.key, "command");
    let command = CommandName::parse(word);
    match command {
        None => {
            let hint = did_you_mean(word, CommandName::ALL.iter().map(|name| name.as_str()));
            mistakes.add_with_hint(&key, format!("`{word}` is no canonical command"), hint);
        }
        Some(command) if command.is_for_backends() => mistakes.add_with_hint(
            &key,
            format!("`{word}` needs a service key, which sockets do not have"),
            "let the application's backend use REST",
        ),
        Some(_) => {}
    }
    command
}

fn conditions(rule: &Inbound, mistakes: &Mistakes) -> Conditions {
    let written = &rule.conditions;
    for both in written.present.iter().filter(|path| written.absent.contains(path)) {
        mistakes.add(&join(&rule.key, "absent"), format!("`{both}` cannot be both present and absent"));
    }
    Conditions {
        when: exact(rule, mistakes),
        present: places(&written.present, &join(&rule.key, "present"), mistakes),
        absent: places(&written.absent, &join(&rule.key, "absent"), mistakes),
    }
}

fn places(written: &[String], key: &str, mistakes: &Mistakes) -> Vec<ArgumentPath> {
    let mut places = Vec::with_capacity(written.len());
    for text in written {
        match ArgumentPath::parse(text) {
            Ok(path) => places.push(path),
            Err(problem) => mistakes.add(key, problem),
        }
    }
    places
}

fn exact(rule: &Inbound, mistakes: &Mistakes) -> Vec<(ArgumentPath, Value)> {
    let when = &rule.conditions.when;
    let mut conditions = Vec::with_capacity(when.len());
    for (path, value) in when {
        let key = format!("{}.when.{path}", rule.key);
        let constant = json(value).filter(|value| !value.is_array() && !value.is_object());
        match (ArgumentPath::parse(path), constant) {
            (Ok(path), Some(constant)) => conditions.push((path, constant)),
            (Err(problem), _) => mistakes.add(&key, problem),
            (_, None) => mistakes.add(&key, "is no text, number, true or false"),
        }
    }
    conditions
}

fn fields(rule: &Inbound, command: CommandName, notation: &Notation, mistakes: &Mistakes) -> Vec<FieldRule> {
    let mut fields: Vec<FieldRule> = Vec::new();
    for (name, value) in &rule.fields {
        let key = format!("{}.fields.{name}", rule.key);
        if let Some(shape) = field_shape(command, name, &key, mistakes) {
            fields.push(FieldRule {
                name: name.clone(),
                shape,
                sources: source::sources(value, shape, &key, mistakes),
                default: None,
            });
        }
    }
    for (section, table) in [("constants", &rule.constants), ("defaults", &rule.defaults)] {
        for (name, value) in table {
            let key = format!("{}.{section}.{name}", rule.key);
            let Some(shape) = field_shape(command, name, &key, mistakes) else {
                continue;
            };
            let value = constant(value, shape, &key, notation, mistakes);
            match (fields.iter_mut().find(|field| field.name == *name), section) {
                (Some(field), "defaults") if !field.sources.is_empty() => field.default = value,
                (None, "constants") => {
                    fields.push(FieldRule { name: name.clone(), shape, sources: Vec::new(), default: value });
                }
                (Some(_), _) => mistakes.add(&key, format!("`{name}` comes from elsewhere already")),
                (None, _) => mistakes.add_with_hint(
                    &key,
                    format!("`{name}` is in no argument"),
                    "a field that is always the same stands under `constants`",
                ),
            }
        }
    }
    require(rule, command, &fields, mistakes);
    fields
}

fn field_shape(command: CommandName, name: &str, key: &str, mistakes: &Mistakes) -> Option<Shape> {
    let shape = vocabulary::argument(command, name);
    if shape.is_none() {
        let hint = did_you_mean(name, command.fields().iter().copied());
        let problem = format!("{} has no field `{name}`", command.as_str());
        mistakes.add_with_hint(key, problem, hint);
    }
    shape
}

/// A constant in canonical form.
fn constant(
    value: &toml::Value,
    shape: Shape,
    key: &str,
    notation: &Notation,
    mistakes: &Mistakes,
) -> Option<Value> {
    let value = json(value).filter(|value| fits(shape, value, notation));
    if value.is_none() {
        mistakes.add(key, "has not the type of the field");
    }
    value.map(|value| notation.read(shape, value))
}

/// Notes the fields without which each such event would be refused.
fn require(rule: &Inbound, command: CommandName, fields: &[FieldRule], mistakes: &Mistakes) {
    for any in vocabulary::needed(command) {
        if !fields.iter().any(|field| any.contains(&field.name.as_str())) {
            mistakes.add_with_hint(
                &join(&rule.key, "fields"),
                format!("{} needs {}", command.as_str(), any.join(" or ")),
                "without it every such event is refused",
            );
        }
    }
}

/// Whether a value stands in for two fields, or for two entries of an object that is made of several places. Of a field's
/// sources only one is taken.
fn share_values(fields: &[FieldRule]) -> bool {
    let mut taken: Vec<(usize, &ArgumentPath)> = Vec::new();
    for (field, source) in fields
        .iter()
        .enumerate()
        .flat_map(|(place, field)| field.sources.iter().map(move |source| (place, source)))
    {
        let is_object = matches!(source, Source::Object(_));
        for path in source.paths() {
            let shared =
                |(other, at): &(usize, &ArgumentPath)| (*other != field || is_object) && at.overlaps(path);
            if taken.iter().any(shared) {
                return true;
            }
            taken.push((field, path));
        }
    }
    false
}

/// The JSON of a TOML value; dates, infinities and what is no number have none.
fn json(value: &toml::Value) -> Option<Value> {
    Some(match value {
        toml::Value::String(text) => Value::from(text.as_str()),
        toml::Value::Integer(number) => Value::from(*number),
        toml::Value::Float(number) => Value::Number(serde_json::Number::from_f64(*number)?),
        toml::Value::Boolean(flag) => Value::from(*flag),
        toml::Value::Datetime(_) => return None,
        toml::Value::Array(items) => Value::Array(items.iter().map(json).collect::<Option<_>>()?),
        toml::Value::Table(table) => object(table)?,
    })
}

fn object(table: &Table) -> Option<Value> {
    let entries = table.iter().map(|(name, value)| Some((name.clone(), json(value)?)));
    Some(Value::Object(entries.collect::<Option<_>>()?))
}
