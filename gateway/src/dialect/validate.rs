//! From the file as it is written to a dialect that can be used: every word in it is checked against the
//! canonical vocabulary, and every mistake is noted.

use std::{collections::HashMap, sync::Arc};

use parlance_domain::command::CommandName;

use super::{
    Audience, Dialect, DialectIndex, Mistake,
    decode::Rule,
    encode::Outbound,
    mistake::{Mistakes, did_you_mean},
    notation::{IdForm, Notation, TimeForm},
    quota::Quotas,
    route,
    table::{self, File},
    template::{Condition, Scope, Source, compile as compile_template, items},
    vocabulary::{self, EventName},
    words::Words,
};
use crate::web::origins::{self, Origins};

mod forms;
pub(super) mod inbound;
mod source;

/// The names that Socket.IO keeps for itself.
const RESERVED_EVENTS: &[&str] =
    &["connect", "connect_error", "disconnect", "disconnecting", "newListener", "removeListener"];

/// Compiles the text of a file.
///
/// # Errors
/// Every mistake in it.
pub(super) fn compile(file_name: &str, text: &str, index: DialectIndex) -> Result<Dialect, Vec<Mistake>> {
    let mistakes = Mistakes::of(file_name);
    let dialect = table::read(text, &mistakes).map(|file| dialect(&file, index, &mistakes));
    match dialect {
        Some(dialect) if mistakes.count() == 0 => Ok(dialect),
        _ => Err(mistakes.into_vec()),
    }
}

fn dialect(file: &File, index: DialectIndex, mistakes: &Mistakes) -> Dialect {
    let name = name(file, mistakes);
    let notation = notation(file, mistakes);
    let failure = Arc::new(forms::failure(file, &notation, mistakes));
    let outbound = outbound(file, &notation, mistakes);
    let rules = inbound::rules(file, &notation, &failure, mistakes);
    let mut quotas = Quotas::compile(file, mistakes);
    let (routes, route_paths) = route::routes(file, &notation, &mut quotas, mistakes);
    Dialect {
        index,
        namespaces: namespaces(&name, file, mistakes),
        hosts: file.hosts.iter().map(|host| host.to_ascii_lowercase()).collect(),
        paths: paths(file, mistakes),
        origins: origins(file, mistakes),
        name,
        notation,
        handshake: file.handshake.check(mistakes),
        behaviour: file.behaviour.check(mistakes),
        quotas,
        refusals: Words::read(&file.refusals, "refusals", mistakes),
        failure,
        rules_by_event: inbound::by_event(file, mistakes),
        lists_members_on_join: lists_members_on_join(&rules),
        rules,
        outbound,
        routes,
        route_paths,
    }
}

fn lists_members_on_join(rules: &[Rule]) -> bool {
    let mut joins = rules.iter().filter(|rule| rule.command == CommandName::ConversationJoin);
    joins.any(|rule| ["members", "memberCount"].iter().any(|field| rule.answering.success.reads(field)))
}

fn name(file: &File, mistakes: &Mistakes) -> String {
    let name = file.name.clone().unwrap_or_default();
    let allowed = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '-' || c == '_';
    if !name.chars().all(allowed) {
        mistakes.add("name", "has other characters than a-z, 0-9, - and _");
    }
    name
}

fn namespaces(name: &str, file: &File, mistakes: &Mistakes) -> Vec<String> {
    let mut namespaces = vec![format!("/{name}")];
    for alias in &file.namespaces {
        if alias == "/" {
            mistakes.add_with_hint(
                "namespaces",
                "`/` is every dialect's",
                "set the default dialect, or use hosts or paths",
            );
        } else if !alias.starts_with('/') || alias.contains([',', '?', ' ']) {
            mistakes.add_with_hint("namespaces", format!("`{alias}` is no namespace"), "[\"/chat\"]");
        } else if namespaces.contains(alias) {
            mistakes.add("namespaces", format!("`{alias}` stands here twice"));
        } else {
            namespaces.push(alias.clone());
        }
    }
    namespaces
}

fn paths(file: &File, mistakes: &Mistakes) -> Vec<String> {
    let mut paths = Vec::new();
    for path in &file.paths {
        let bare = path.trim_end_matches('/');
        if !bare.starts_with('/') {
            mistakes.add_with_hint("paths", format!("`{path}` is no path"), "[\"/api/socketio\"]");
        }
        paths.push(bare.to_owned());
    }
    paths
}

fn origins(file: &File, mistakes: &Mistakes) -> Option<Origins> {
    const HINT: &str = "[\"https://app.example.com\"], or [\"*\"]";
    let written = file.origins.as_deref()?;
    match written {
        [] => mistakes.add_with_hint("origins", "names no origin", HINT),
        [star] if star == "*" => return Some(Origins::Any),
        _ => {}
    }
    let mut list = Vec::with_capacity(written.len());
    for text in written {
        match origins::parse(text) {
            Some(origin) => list.push(origin),
            None if text == "*" => mistakes.add_with_hint("origins", "has `*` beside others", HINT),
            None => mistakes.add_with_hint("origins", format!("`{text}` is no origin"), HINT),
        }
    }
    Some(Origins::List(list))
}

fn notation(file: &File, mistakes: &Mistakes) -> Notation {
    let times = match file.times.as_deref() {
        None | Some("iso") => TimeForm::Iso,
        Some("epoch-ms") => TimeForm::EpochMs,
        Some(other) => {
            let hint = did_you_mean(other, ["iso", "epoch-ms"]);
            mistakes.add_with_hint("times", format!("`{other}` is no form of times"), hint);
            TimeForm::Iso
        }
    };
    Notation {
        users: id_form(&file.user_ids, "ids.user", mistakes),
        conversations: id_form(&file.conversation_ids, "ids.conversation", mistakes),
        times,
    }
}

fn id_form(ids: &table::Ids, key: &str, mistakes: &Mistakes) -> IdForm {
    let number = match ids.kind.as_deref() {
        None | Some("string") => false,
        Some("number") => true,
        Some(other) => {
            let hint = did_you_mean(other, ["string", "number"]);
            mistakes.add_with_hint(&format!("{key}.type"), format!("`{other}` is no type of ids"), hint);
            false
        }
    };
    IdForm { number, prefix: ids.prefix.clone().unwrap_or_default() }
}

/// Whether clients and servers can use this event name; if not, that is noted.
fn check_event(event: &str, key: &str, mistakes: &Mistakes) {
    if RESERVED_EVENTS.contains(&event) {
        mistakes.add(key, format!("`{event}` is a name that Socket.IO keeps for itself"));
    }
}

fn outbound(file: &File, notation: &Notation, mistakes: &Mistakes) -> HashMap<EventName, Vec<Outbound>> {
    let mut outbound: HashMap<EventName, Vec<Outbound>> = HashMap::new();
    for rule in &file.outbound {
        let Some((name, compiled)) = outbound_rule(rule, notation, mistakes) else {
            continue;
        };
        let of_event = outbound.entry(name).or_default();
        if of_event.iter().any(|earlier| compiled.repeats(earlier)) {
            mistakes.add_with_hint(
                &format!("{}.on", rule.key),
                format!("`{}` is sent twice for {}", compiled.event, name.as_str()),
                "give each of them another `when`, `present` or `absent`",
            );
        }
        of_event.push(compiled);
    }
    outbound
}

fn outbound_rule(
    rule: &table::Outbound,
    notation: &Notation,
    mistakes: &Mistakes,
) -> Option<(EventName, Outbound)> {
    let event = rule.event.as_deref()?;
    let on = rule.on.as_deref()?;
    check_event(event, &format!("{}.event", rule.key), mistakes);
    let Some(name) = EventName::parse(on) else {
        let known = EventName::ALL.iter().map(|name| name.as_str());
        let hint = did_you_mean(on, known);
        mistakes.add_with_hint(&format!("{}.on", rule.key), format!("`{on}` is no canonical event"), hint);
        return None;
    };
    let scope = Scope::of(name.shape());
    let condition = Condition::compile(&rule.conditions, &rule.key, &scope, notation, mistakes);
    let (each, scope) = match each(rule, &scope, mistakes) {
        Some((list, item)) => (Some(list), item),
        None => (None, scope),
    };
    let payload = rule.payload.as_ref();
    let outbound = Outbound {
        event: Arc::from(event),
        audience: audience(rule, name, mistakes),
        condition,
        each,
        payload: payload
            .map(|payload| compile_template(payload, &format!("{}.payload", rule.key), &scope, mistakes)),
    };
    Some((name, outbound))
}

/// The list for whose items a rule holds, and the scope of one.
fn each(rule: &table::Outbound, scope: &Scope, mistakes: &Mistakes) -> Option<(Source, Scope)> {
    let key = format!("{}.each", rule.key);
    let (list, item) = items(rule.each.as_deref()?, &key, scope, mistakes)?;
    // Whoever fills such a list could make thousands of events of one.
    if !list.is_listed() {
        mistakes.add(&key, "is the application's own JSON, in which lists can be of any length");
        return None;
    }
    Some((list, item))
}

fn audience(rule: &table::Outbound, name: EventName, mistakes: &Mistakes) -> Audience {
    let key = format!("{}.audience", rule.key);
    match (rule.audience.as_deref(), name.is_for_a_conversation()) {
        (None, true) => Audience::Everyone,
        // All sockets of a user.
        (None, false) if name.scope() == vocabulary::Scope::User => Audience::Everyone,
        (None, false) => Audience::Sender,
        (Some(_), false) => {
            mistakes.add(&key, format!("{} is for one socket anyway", name.as_str()));
            Audience::Sender
        }
        (Some(word), true) => {
            let known = Audience::ALL.iter();
            let found = known.copied().find(|audience| audience.as_str() == word);
            found.unwrap_or_else(|| {
                let hint = did_you_mean(word, Audience::ALL.iter().map(|audience| audience.as_str()));
                mistakes.add_with_hint(&key, format!("`{word}` is no audience"), hint);
                Audience::Everyone
            })
        }
    }
}
