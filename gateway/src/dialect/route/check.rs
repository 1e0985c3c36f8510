//! Checks the `[[route]]`s of a file and compiles them.

mod answer;
mod request;

use std::{ops::RangeInclusive, sync::Arc, time::Duration};

use http::Method;
use parlance_chassis::config::{Raw, parse};
use parlance_domain::command::CommandName;
use toml::Value;

use super::{
    super::{
        mistake::{Mistakes, did_you_mean},
        notation::Notation,
        quota::Quotas,
        section::join,
        table::File,
        template::Scope,
        validate::inbound,
        vocabulary::{self, EventName},
    },
    Access, Action, Paths, Remembered, Route, Written, own, paths,
};
use answer::{answering, statuses, success};
use request::{max_body, places_of_fields, uploads};

const METHODS: [&str; 5] = ["GET", "POST", "PUT", "PATCH", "DELETE"];
/// The one thing beside commands that a route can do.
const UPLOAD: &str = "upload";
const REMEMBERED: RangeInclusive<Duration> = Duration::from_millis(100)..=Duration::from_secs(60);

/// Compiles the routes, in the order of the file. What does not fit is noted.
pub(in crate::dialect) fn routes(
    file: &File,
    notation: &Notation,
    quotas: &mut Quotas,
    mistakes: &Mistakes,
) -> (Vec<Arc<Route>>, Paths<Arc<Route>>) {
    let (mut routes, mut paths) = (Vec::new(), Paths::default());
    for written in &file.routes {
        let Some(route) = route(file, written, notation, quotas, mistakes).map(Arc::new) else { continue };
        for path in &route.paths {
            if let Err(problem) = paths.insert(&route.method, path, Arc::clone(&route)) {
                mistakes.add(&join(written.key(), "path"), problem);
            }
        }
        routes.push(route);
    }
    (routes, paths)
}

fn route(
    file: &File,
    written: &Written,
    notation: &Notation,
    quotas: &mut Quotas,
    mistakes: &Mistakes,
) -> Option<Route> {
    let method = method(written, mistakes)?;
    let (paths, parameters) = paths_of(written, mistakes)?;
    let access = access(written, mistakes);
    let action = action(file, written, access, notation, mistakes)?;
    places_of_fields(&written.rule.fields, &join(written.key(), "fields"), &parameters, mistakes);
    let max_body = max_body(written, mistakes);
    let uploads = uploads(written, &action, mistakes);
    Some(Route {
        name: format!("{method} {}", written.path.as_deref().unwrap_or_default()).into(),
        method,
        is_at_root: is_at_root(written, &paths, mistakes),
        paths,
        access,
        is_for_every_page: is_for_every_page(written, mistakes),
        remembered: remembered(written, access, mistakes),
        quota: written
            .quota
            .as_deref()
            .and_then(|text| quotas.of_route(text, &join(written.key(), "quota"), mistakes)),
        max_body,
        uploads,
        status: success(written.answer.status.as_ref(), &join(written.key(), "answer.status"), mistakes),
        statuses: statuses(&written.failure.statuses, written.key(), mistakes),
        action,
    })
}

fn method(written: &Written, mistakes: &Mistakes) -> Option<Method> {
    let word = written.method.as_deref()?;
    if !METHODS.contains(&word) {
        let hint = did_you_mean(word, METHODS);
        mistakes.add_with_hint(&join(written.key(), "method"), format!("`{word}` is no method"), hint);
        return None;
    }
    word.parse().ok()
}

/// The paths, and the parameters that they have.
fn paths_of<'a>(written: &'a Written, mistakes: &Mistakes) -> Option<(Vec<String>, Vec<&'a str>)> {
    let first = [("path", written.path.as_ref()?)];
    let all = first.into_iter().chain(written.paths.iter().map(|path| ("paths", path)));
    let (mut paths, mut parameters) = (Vec::new(), Vec::new());
    for (key, path) in all {
        match paths::parameters(path) {
            Ok(names) => {
                parameters.extend(names);
                paths.push(path.clone());
            }
            Err(problem) => {
                let hint = "write it like \"/api/rooms/{roomId}/messages\"";
                mistakes.add_with_hint(&join(written.key(), key), problem, hint);
            }
        }
    }
    (!paths.is_empty()).then_some((paths, parameters))
}

fn is_at_root(written: &Written, paths: &[String], mistakes: &Mistakes) -> bool {
    let key = join(written.key(), "root");
    let is_at_root = match &written.root {
        None => true,
        Some(Value::Boolean(flag)) => *flag,
        Some(_) => {
            mistakes.add(&key, "is neither true nor false");
            true
        }
    };
    for path in paths.iter().filter(|path| is_at_root && crate::rest::serves(path)) {
        mistakes.add_with_hint(
            &join(written.key(), "path"),
            format!("`{path}` is the gateway's own at the root"),
            "with `root = false` it is served under /<name> alone",
        );
    }
    is_at_root
}

fn access(written: &Written, mistakes: &Mistakes) -> Access {
    let Some(word) = written.access.as_deref() else { return Access::Caller };
    Access::ALL.iter().copied().find(|access| access.as_str() == word).unwrap_or_else(|| {
        let hint = did_you_mean(word, Access::ALL.iter().map(|access| access.as_str()));
        mistakes.add_with_hint(
            &join(written.key(), "access"),
            format!("`{word}` does not say who may ask"),
            hint,
        );
        Access::Caller
    })
}

fn action(
    file: &File,
    written: &Written,
    access: Access,
    notation: &Notation,
    mistakes: &Mistakes,
) -> Option<Action> {
    let command_key = join(written.key(), "command");
    match (written.rule.command.as_deref(), written.handler.as_deref()) {
        (None, None) => {
            mistakes.add_with_hint(&command_key, "is missing", "or write handler = \"upload\"");
            None
        }
        (Some(_), Some(_)) => {
            mistakes.add(&join(written.key(), "handler"), "stands beside a command: it is one or the other");
            None
        }
        (Some(word), None) => {
            let command = command(word, access, &command_key, mistakes)?;
            let answering =
                answering(file, written, &Scope::answering(vocabulary::reply(command), command), mistakes);
            let rule = inbound::rule(&written.rule, command, answering, notation, mistakes);
            Some(Action::Command(Box::new(rule)))
        }
        (None, Some(UPLOAD)) => {
            only_files(written, access, mistakes);
            let answering =
                answering(file, written, &Scope::of(EventName::UploadCompleted.shape()), mistakes);
            Some(Action::Upload(Box::new(answering)))
        }
        (None, Some(other)) => {
            let key = join(written.key(), "handler");
            mistakes.add_with_hint(&key, format!("`{other}` is no handler"), did_you_mean(other, [UPLOAD]));
            None
        }
    }
}

fn command(word: &str, access: Access, key: &str, mistakes: &Mistakes) -> Option<CommandName> {
    let Some(command) = CommandName::parse(word) else {
        let hint = did_you_mean(word, CommandName::ALL.iter().map(|name| name.as_str()));
        mistakes.add_with_hint(key, format!("`{word}` is no canonical command"), hint);
        return None;
    };
    if command.is_for_sockets() {
        mistakes.add(key, format!("`{word}` is for sockets, and a request is none"));
    }
    if access == Access::Participant && !own::is_about_ones_own(command) {
        mistakes.add_with_hint(
            key,
            format!("`{word}` is nothing that taking part lets a user do"),
            "leave `access` out",
        );
    }
    if access == Access::Public && !matches!(command, CommandName::Ping | CommandName::StatsGet) {
        mistakes.add_with_hint(
            key,
            format!("`{word}` cannot be open to everybody"),
            "only ping and stats.get can be public",
        );
    }
    Some(command)
}

/// Notes the keys that mean nothing for a file.
fn only_files(written: &Written, access: Access, mistakes: &Mistakes) {
    if access == Access::Public {
        mistakes.add(&join(written.key(), "access"), "cannot be public: a file is somebody's");
    }
    let rule = &written.rule;
    let empty = [
        ("fields", rule.fields.is_empty()),
        ("constants", rule.constants.is_empty()),
        ("defaults", rule.defaults.is_empty()),
        ("uploads", written.uploads.is_empty()),
        ("max_body", written.max_body.is_none()),
    ];
    for (name, _) in empty.iter().filter(|(_, is_empty)| !is_empty) {
        mistakes.add(&join(written.key(), name), "means nothing for an upload, which is a form");
    }
}

fn is_for_every_page(written: &Written, mistakes: &Mistakes) -> bool {
    let Some(text) = written.cors.as_deref() else { return false };
    if text != "*" {
        let hint = "leave it out for the pages that `origins` names";
        mistakes.add_with_hint(&join(written.key(), "cors"), "can only be \"*\"", hint);
    }
    true
}

fn remembered(written: &Written, access: Access, mistakes: &Mistakes) -> Option<Remembered> {
    let text = written.cache.as_deref()?;
    let key = join(written.key(), "cache");
    if access != Access::Public {
        mistakes.add_with_hint(&key, "is not the same for everybody", "only public answers are kept");
    }
    match parse::duration(REMEMBERED)(&Raw::Text(text.to_owned())) {
        Ok(keep) => Some(Remembered::new(keep)),
        Err(_) => {
            let problem = format!("`{text}` is no time between 100ms and 60s");
            mistakes.add_with_hint(&key, problem, "write it like \"2s\"");
            None
        }
    }
}
