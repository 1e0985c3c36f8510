//! The paths over HTTP.

use toml::{Table, Value};

use super::{
    cell::{code, codes, fields, json, shown, words},
    events::command,
    section, table_of, tables_of, text_of, texts_of,
};

pub(super) fn write(text: &mut String, file: &Table) {
    let rows: Vec<_> = tables_of(file, "route").map(route).collect();
    section(
        text,
        "Routes",
        &["method and path", "who", "what it is", "fields", "answer", "refused", "more"],
        &rows,
    );
}

fn route(route: &Table) -> Vec<String> {
    let method = text_of(route, "method").unwrap_or_default();
    let paths = text_of(route, "path").into_iter().chain(texts_of(route, "paths"));
    let paths: Vec<String> = paths.map(|path| format!("{method} {path}")).collect();
    let does = match text_of(route, "handler") {
        Some(handler) => format!("takes a file in ({})", code(handler)),
        None => command(route),
    };
    vec![
        codes(paths.iter().map(String::as_str)),
        text_of(route, "access").unwrap_or("caller").to_owned(),
        does,
        fields(route),
        table_of(route, "answer")
            .map(|answer| form(answer, "the reply"))
            .unwrap_or_else(|| String::from("the reply")),
        table_of(route, "failure").map(|failure| form(failure, "")).unwrap_or_default(),
        more(route),
    ]
}

/// A status and a body.
fn form(form: &Table, usual: &str) -> String {
    let mut all = Vec::new();
    all.extend(form.get("status").map(|status| format!("status {}", json(status))));
    let body = form.get("body").map_or_else(|| usual.to_owned(), shown);
    all.extend(Some(body).filter(|body| !body.is_empty()));
    let statuses = table_of(form, "statuses").into_iter().flatten();
    all.extend(statuses.map(|(name, status)| format!("{}: {}", code(name), json(status))));
    all.extend(words(form));
    all.join("; ")
}

fn more(route: &Table) -> String {
    let mut all = Vec::new();
    if route.get("root").and_then(Value::as_bool) == Some(false) {
        all.push(String::from("not at the root"));
    }
    let texts = [("quota", "quota"), ("max_body", "largest body"), ("cache", "kept for"), ("cors", "pages")];
    all.extend(texts.iter().filter_map(|(key, what)| Some(format!("{what} {}", code(text_of(route, key)?)))));
    let uploads = codes(texts_of(route, "uploads"));
    all.extend(
        Some(uploads).filter(|uploads| !uploads.is_empty()).map(|places| format!("files at {places}")),
    );
    all.join("; ")
}
