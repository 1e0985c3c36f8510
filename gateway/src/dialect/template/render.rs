//! Writes a template as JSON, straight from canonical values: nothing is parsed and no tree is built.

use std::collections::HashSet;

use serde::{Serialize, Serializer, ser::SerializeMap, ser::SerializeSeq};
use serde_json::{Map, Number, Value, value::RawValue};

use super::{
    super::notation::{Notation, Written},
    Base, Data, Filter, Object, Part, Placeholder, Source, Template,
    placeholder::place,
};

/// The JSON of a template; `None` when all of it is a placeholder that is left out.
pub(in crate::dialect) fn render(template: &Template, data: Data<'_>) -> Option<Box<RawValue>> {
    if template.is_left_out(data) {
        return None;
    }
    // Writing JSON to memory from texts, numbers and maps with text keys has no way to fail.
    Some(
        serde_json::value::to_raw_value(&Filled { template, data })
            .unwrap_or_else(|_| RawValue::NULL.to_owned()),
    )
}

struct Filled<'a> {
    template: &'a Template,
    data: Data<'a>,
}

struct FilledField<'a> {
    placeholder: &'a Placeholder,
    data: Data<'a>,
}

impl Template {
    fn is_left_out(&self, data: Data<'_>) -> bool {
        matches!(self, Template::Field(placeholder)
            if placeholder.omitted_when_absent && placeholder.find(data).is_none())
    }
}

impl Source {
    pub(super) fn find<'a>(&self, data: Data<'a>) -> Option<Written<'a>> {
        let mut keys = self.keys.iter();
        let mut value = match self.base {
            Base::Root => data.root,
            Base::Item => data.item,
            Base::Request => data.request?.get(keys.next()?)?,
        };
        for key in keys {
            value = match value {
                Value::Array(items) => items.get(place(key)?)?,
                _ => value.as_object()?.get(key)?,
            };
        }
        (!value.is_null()).then(|| data.written(value, self.shape))
    }
}

impl Placeholder {
    fn find<'a>(&self, data: Data<'a>) -> Option<Written<'a>> {
        self.sources.iter().find_map(|source| source.find(data))
    }

    /// What stands in a text for it.
    fn text(&self, data: Data<'_>) -> String {
        let field = FilledField { placeholder: self, data };
        match serde_json::to_value(field) {
            Ok(Value::String(text)) => text,
            Ok(Value::Null) | Err(_) => String::new(),
            Ok(other) => other.to_string(),
        }
    }
}

impl Serialize for FilledField<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let placeholder = self.placeholder;
        let found = placeholder.find(self.data);
        let filter = match &placeholder.filter {
            Some(Filter::Present) => return found.is_some().serialize(serializer),
            Some(Filter::Is(wanted)) => {
                let value = found.map(|found| found.value).or(placeholder.fallback.as_ref());
                return (value.and_then(Value::as_str) == Some(wanted)).serialize(serializer);
            }
            other => other.as_ref(),
        };
        let Some(found) = found else {
            return placeholder.fallback.serialize(serializer);
        };
        match (filter, found.value) {
            (Some(Filter::Upper), Value::String(text)) => text.to_uppercase().serialize(serializer),
            (Some(Filter::Lower), Value::String(text)) => text.to_lowercase().serialize(serializer),
            (Some(Filter::Plus(more)), Value::Number(number)) => plus(number, *more).serialize(serializer),
            (Some(Filter::Time(times)), _) => {
                let notation = Notation { times: *times, ..Notation::default() };
                let written = Written { notation: &notation, ..found };
                written.serialize(serializer)
            }
            _ => found.serialize(serializer),
        }
    }
}

/// A whole number that is so much higher; another one, or one that would leave the range, stays as it is.
fn plus(number: &Number, more: i64) -> Number {
    let sum = number.as_i64().and_then(|number| number.checked_add(more));
    sum.map_or_else(|| number.clone(), Number::from)
}

impl Serialize for Filled<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let data = self.data;
        match self.template {
            Template::Constant(value) => value.serialize(serializer),
            Template::Field(placeholder) => FilledField { placeholder, data }.serialize(serializer),
            Template::Text(parts) => {
                let mut text = String::new();
                for part in parts {
                    match part {
                        Part::Literal(literal) => text.push_str(literal),
                        Part::Field(placeholder) => text.push_str(&placeholder.text(data)),
                    }
                }
                text.serialize(serializer)
            }
            Template::Object(object) => object.serialize_with(data, serializer),
            Template::List(items) => {
                let mut list = serializer.serialize_seq(None)?;
                for template in items.iter().filter(|item| !item.is_left_out(data)) {
                    list.serialize_element(&Filled { template, data })?;
                }
                list.end()
            }
            Template::Each(source, template) => {
                let mut list = serializer.serialize_seq(None)?;
                for data in data.items(source) {
                    if !template.is_left_out(data) {
                        list.serialize_element(&Filled { template, data })?;
                    }
                }
                list.end()
            }
            Template::Keyed(source, key, template) => {
                let mut map = serializer.serialize_map(None)?;
                let mut names = HashSet::new();
                for data in data.items(source) {
                    // JSON has no rule for a key that comes twice: the first counts.
                    if let Some(name) = key.find(data).and_then(Written::key)
                        && !template.is_left_out(data)
                        && names.insert(name.clone())
                    {
                        map.serialize_entry(&name, &Filled { template, data })?;
                    }
                }
                map.end()
            }
        }
    }
}

impl Object {
    fn serialize_with<S: Serializer>(&self, data: Data<'_>, serializer: S) -> Result<S::Ok, S::Error> {
        let mut map = serializer.serialize_map(None)?;
        for (name, template) in &self.entries {
            if !template.is_left_out(data) {
                map.serialize_entry(name, &Filled { template, data })?;
            }
        }
        let spread = self.spread.as_ref().and_then(|spread| spread.find(data));
        if let Some(found) = spread
            && let Value::Object(fields) = found.value
        {
            self.spread(fields, found, &mut map)?;
        }
        map.end()
    }

    /// Takes over the entries that the template does not name itself.
    fn spread<M: SerializeMap>(
        &self,
        fields: &Map<String, Value>,
        found: Written<'_>,
        map: &mut M,
    ) -> Result<(), M::Error> {
        for (name, value) in fields {
            let named = self.entries.binary_search_by(|(entry, _)| entry.as_str().cmp(name)).is_ok();
            if !named {
                map.serialize_entry(name, &found.field(name, value))?;
            }
        }
        Ok(())
    }
}
