//! Where in what a template makes something stands: to find it again in an event, without a word of the dialect.

use super::{Base, Placeholder, Template};

impl Template {
    /// The way to this field of the event or the reply, unchanged: the names of the objects' entries, outermost first;
    /// none when what is made is the field itself. `None` when it is nowhere, or within a text or a list.
    pub(in crate::dialect) fn place_of(&self, field: &[&str]) -> Option<Vec<String>> {
        match self {
            Template::Field(placeholder) => placeholder.way_to(field),
            Template::Object(object) => {
                let own = object.entries.iter().find_map(|(name, template)| {
                    let mut way = template.place_of(field)?;
                    way.insert(0, name.clone());
                    Some(way)
                });
                own.or_else(|| {
                    let way = object.spread.as_ref()?.way_to(field)?;
                    let is_replaced = object.entries.iter().any(|(name, _)| way.first() == Some(name));
                    (!is_replaced && !way.is_empty()).then_some(way)
                })
            }
            _ => None,
        }
    }
}

impl Placeholder {
    /// The rest of the way, when this stands for the field or for an object that has it.
    fn way_to(&self, field: &[&str]) -> Option<Vec<String>> {
        let first = self.sources.first().filter(|first| first.base == Base::Root && self.filter.is_none())?;
        let rest = field.get(first.keys.len()..)?;
        let leads_there = first.keys.iter().zip(field).all(|(key, name)| key == name);
        leads_there.then(|| rest.iter().map(|name| (*name).to_owned()).collect())
    }
}
