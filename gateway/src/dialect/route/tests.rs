use std::sync::Arc;

use serde_json::json;

use super::{
    super::{
        Context, Dialect, DialectIndex, Dialects, FoundRoute,
        catalog::{Catalog, File},
        mistakes_of, validate,
    },
    *,
};

/// What every file here has.
const HEAD: &str = "name = 'diet'\nanswer.ack = 1\nfailure.ack = { error = '{message}' }\n\
    failure.texts = { forbidden = 'Not yours' }\nids.conversation = { type = 'number', prefix = 'diet_' }\n\
    ids.user.type = 'number'\n";

const MESSAGES: &str = "[[route]]\nmethod = 'POST'\npath = '/api/diets/{did}/messages'\ncommand = 'message.send'\n\
    fields.conversation = 'path.did'\nfields.content = 'body.content'\nfields.attachments = 'body.photos'\n\
    fields.metadata = { meal = 'body.mealId', by = 'query.by' }\nuploads = ['body.photos[].imageData']\nmax_body = '20MB'\n\
    answer = { status = 201, body = { ok = true, diet = '{message.conversationId}', said = '{request.content}' } }\n\
    failure.statuses = { content_blank = 422 }\nfailure.texts = { content_blank = 'Say something' }\n";

fn compiled(routes: &str) -> Dialect {
    let text = format!("{HEAD}{routes}");
    validate::compile("test.toml", &text, DialectIndex(0)).unwrap_or_else(|mistakes| panic!("{mistakes:#?}"))
}

/// The mistakes in a file with these routes, without its name.
fn mistakes(routes: &str) -> Vec<String> {
    let found = mistakes_of("test.toml", &format!("{HEAD}{routes}"));
    found.iter().map(|mistake| mistake.to_string().replacen("test.toml: ", "", 1)).collect()
}

fn only_route(dialect: &Dialect) -> Arc<Route> {
    Arc::clone(dialect.routes().first().expect("it has one"))
}

#[test]
fn a_request_becomes_a_command_with_ids_in_the_notation_of_the_file() {
    let dialect = compiled(MESSAGES);
    let route = only_route(&dialect);
    let argument = json!({
        "path": {"did": "100"},
        "query": {"by": "app", "other": "x"},
        "body": {"content": "hi", "mealId": 3, "unknown": true, "photos": [{"id": "u1"}]},
    });
    let asked = dialect.decode_route(&route, argument, Context::default()).expect("it is a command");
    let fields = json!({
        "conversation": "diet_100", "content": "hi", "attachments": [{"id": "u1"}], "metadata": {"meal": 3, "by": "app"},
    });
    let Value::Object(fields) = fields else { panic!("an object") };
    assert_eq!(asked.command, Command::parse(CommandName::MessageSend, fields));
    assert_eq!(Value::Object(asked.repeated.clone()), json!({"content": "hi"}));

    let reply = json!({"message": {"conversationId": "diet_100"}});
    let body = dialect.answer_route(&route, &asked.repeated, &reply);
    assert_eq!(body.get(), r#"{"diet":100,"ok":true,"said":"hi"}"#);
    assert_eq!((route.status().as_u16(), route.max_body()), (201, 20_000_000));
}

#[test]
fn refusals_have_the_words_of_the_route_and_else_those_of_the_file() {
    let dialect = compiled(MESSAGES);
    let route = only_route(&dialect);
    let refused = |code: Code| {
        let body = dialect.refuse_route(&route, &Map::new(), &code.into());
        (body.get().to_owned(), route.status_of(code).map(|status| status.as_u16()))
    };
    assert_eq!(refused(Code::ContentBlank), (r#"{"error":"Say something"}"#.to_owned(), Some(422)));
    assert_eq!(refused(Code::Forbidden), (r#"{"error":"Not yours"}"#.to_owned(), None));
}

#[test]
fn without_a_body_of_its_own_the_whole_reply_is_answered() {
    let dialect = compiled(
        "[[route]]\nmethod = 'GET'\npath = '/api/health'\ncommand = 'ping'\naccess = 'public'\ncors = '*'\n",
    );
    let route = only_route(&dialect);
    let body = dialect.answer_route(&route, &Map::new(), &json!({"time": "2026-01-31T09:30:00.000Z"}));
    assert_eq!(body.get(), r#"{"time":"2026-01-31T09:30:00.000Z"}"#);
    assert!(route.is_for_every_page() && route.access() == Access::Public && route.is_at_root());
}

#[test]
fn what_no_request_could_ever_mean_is_a_mistake() {
    let with = |changed: &str| {
        mistakes(&format!("[[route]]\nmethod = 'GET'\npath = '/api/rooms/{{room}}'\n{changed}\n"))
    };
    let history = "command = 'message.history'\nfields.conversation = 'path.room'\n";
    assert_eq!(with(history), Vec::<String>::new());
    for (changed, key, problem) in [
        ("", "command", "is missing"),
        ("command = 'message.histroy'", "command", "`message.histroy` is no canonical command"),
        ("command = 'conversation.join'\nfields.conversation = 'path.room'", "command", "is for sockets"),
        ("command = 'ping'\nhandler = 'upload'", "handler", "stands beside a command"),
        ("handler = 'uplaod'", "handler", "`uplaod` is no handler"),
        ("handler = 'upload'\nfields.content = 'body.x'", "fields", "means nothing for an upload"),
        ("handler = 'upload'\naccess = 'public'", "access", "cannot be public"),
        ("command = 'user.list'\naccess = 'public'", "command", "cannot be open to everybody"),
        ("command = 'message.history'", "fields", "message.history needs conversation"),
        (
            "command = 'message.history'\nfields.conversation = 'path.rom'",
            "fields.conversation",
            "the path has no `{rom}`",
        ),
        (
            "command = 'message.history'\nfields.conversation = 'conversationId'",
            "fields.conversation",
            "nowhere in a request",
        ),
        (&format!("{history}fields.limt = 'query.limit'"), "fields.limt", "has no field `limt`"),
        (&format!("{history}answer.body = '{{messagse}}'"), "answer.body", "can never be filled"),
        (&format!("{history}answer.status = 404"), "answer.status", "is no status from 200 to 299"),
        (
            &format!("{history}failure.statuses.not_fuond = 404"),
            "failure.statuses.not_fuond",
            "is an unknown code",
        ),
        (
            &format!("{history}failure.statuses.not_found = 200"),
            "failure.statuses.not_found",
            "is no status from 400",
        ),
        (&format!("{history}access = 'everybody'"), "access", "does not say who may ask"),
        (&format!("{history}cors = 'https://a.example'"), "cors", "can only be"),
        (&format!("{history}cache = '2s'"), "cache", "is not the same for everybody"),
        ("command = 'ping'\naccess = 'public'\ncache = '2 days'", "cache", "is no time between"),
        (&format!("{history}quota = 'often'"), "quota", "does not say how often"),
        (&format!("{history}max_body = 'much'"), "max_body", "is no size"),
        (&format!("{history}max_body = '20MB'"), "max_body", "which only files need"),
        (&format!("{history}uploads = ['body.photo']"), "uploads", "are for message.send"),
        (&format!("{history}root = 'no'"), "root", "is neither true nor false"),
        (&format!("{history}rot = false"), "rot", "is an unknown key"),
    ] {
        let found = with(changed);
        let key = format!("route[GET /api/rooms/{{room}}].{key}: ");
        assert!(
            matches!(&*found, [one] if one.starts_with(&key) && one.contains(problem)),
            "{changed}: {found:#?} is not {key}{problem}"
        );
    }
    for (method, path, key) in [
        ("GIT", "/a", "route[GIT /a].method"),
        ("GET", "a", "route[GET a].path"),
        ("GET", "/a/{b", "route[GET /a/{b].path"),
        ("GET", "/v1/x", "route[GET /v1/x].path"),
        ("GET", "/health", "route[GET /health].path"),
    ] {
        let found = mistakes(&format!("[[route]]\nmethod = '{method}'\npath = '{path}'\ncommand = 'ping'\n"));
        assert!(matches!(&*found, [one] if one.starts_with(key)), "{method} {path}: {found:#?}");
    }
    let route = "[[route]]\nmethod = 'GET'\npath = '/a/{b}'\ncommand = 'ping'\n";
    let found = mistakes(&format!("{route}{}", route.replace("{b}", "{c}")));
    assert!(matches!(&*found, [one] if one.contains("`GET /a/{b}` is there already")), "{found:#?}");
}

/// Dialects of these names, each with the same routes.
fn loaded(files: &[(&str, &str)]) -> Result<Dialects, Vec<String>> {
    let default = files.first().and_then(|(file, _)| file.strip_suffix(".toml")).expect("a file");
    let file =
        |&(name, text): &(&str, &str)| File { name: name.to_owned().into(), text: text.to_owned().into() };
    let catalog = Catalog::compile(files.iter().map(file).collect(), default, None, Vec::new());
    catalog.map(Dialects::of).map_err(|found| found.iter().map(ToString::to_string).collect())
}

fn file(name: &str, more: &str) -> String {
    format!("name = '{name}'\nanswer.ack = 1\nfailure.ack = 1\n{more}")
}

fn ping(path: &str, more: &str) -> String {
    format!("[[route]]\nmethod = 'GET'\npath = '{path}'\ncommand = 'ping'\n{more}\n")
}

fn found(dialects: &Dialects, host: Option<&str>, path: &str) -> Option<(String, String)> {
    let found = dialects.route(&Method::GET, host, path).ok();
    found.map(|FoundRoute { dialect, route, .. }| (dialect.name().to_owned(), route.paths().join(" ")))
}

#[test]
fn a_route_is_at_the_root_and_under_every_namespace_of_its_dialect() {
    let one = file("one", &format!("namespaces = ['/uno']\n{}", ping("/health", "root = false")));
    let two = file(
        "two",
        &format!("hosts = ['two.example']\n{}{}", ping("/api/x", ""), ping("/api/y", "root = false")),
    );
    let dialects = loaded(&[("one.toml", &one), ("two.toml", &two)]).unwrap();
    let is = |host, path, dialect: &str, route: &str| {
        assert_eq!(
            found(&dialects, host, path),
            Some((dialect.to_owned(), route.to_owned())),
            "{host:?} {path}"
        );
    };
    is(None, "/one/health", "one", "/health");
    is(None, "/uno/health/", "one", "/health");
    is(None, "/api/x", "two", "/api/x");
    is(None, "/two/api/y", "two", "/api/y");
    is(Some("TWO.example:8080"), "/api/y", "two", "/api/y");
    for nothing in ["/health", "/two/health", "/one/api/x", "/api/y", "/oneapi/x", "/one"] {
        assert_eq!(found(&dialects, None, nothing), None, "{nothing}");
    }
    let methods = dialects.route(&Method::PUT, None, "/two/api/x").unwrap_err();
    assert_eq!(methods, [Method::GET]);
    assert_eq!(dialects.route(&Method::GET, None, "/nowhere").unwrap_err(), Vec::<Method>::new());
}

#[test]
fn a_route_can_have_several_paths_and_looks_for_its_fields_in_all_of_them() {
    let dialect = compiled(
        "[[route]]\nmethod = 'GET'\npath = '/api/rooms/{id}/messages'\npaths = ['/api/messages']\n\
         command = 'message.history'\nfields.conversation = ['path.id', 'query.room']\n",
    );
    for path in ["/api/rooms/7/messages", "/api/messages"] {
        assert!(dialect.route_paths.find(&Method::GET, path).is_some(), "{path}");
    }
    let asked = |argument: Value| {
        let asked = dialect.decode_route(&only_route(&dialect), argument, Context::default());
        asked.and_then(|asked| asked.command.ok())
    };
    let in_query = asked(json!({"path": {}, "query": {"room": "7"}, "body": null}));
    assert!(in_query.is_some());
    assert_eq!(in_query, asked(json!({"path": {"id": "7"}, "query": {}, "body": null})));
    let found = mistakes("[[route]]\nmethod = 'GET'\npath = '/a'\npaths = ['b', '/a']\ncommand = 'ping'\n");
    assert_eq!(found.len(), 2, "{found:#?}");
}

#[test]
fn two_dialects_cannot_have_one_route_at_the_root() {
    let (one, two) = (file("one", &ping("/api/{a}", "")), file("two", &ping("/api/{b}", "")));
    let mistakes = loaded(&[("one.toml", &one), ("two.toml", &two)]).unwrap_err();
    assert!(
        matches!(&*mistakes, [one] if one.starts_with("two.toml: route[GET /api/{b}].path: `GET /api/{a}` is there already")),
        "{mistakes:#?}"
    );
    let apart = file("two", &ping("/api/{b}", "root = false"));
    let dialects = loaded(&[("one.toml", &one), ("two.toml", &apart)]).unwrap();
    assert_eq!(found(&dialects, None, "/api/7"), Some(("one".to_owned(), "/api/{a}".to_owned())));
    assert_eq!(found(&dialects, None, "/two/api/7"), Some(("two".to_owned(), "/api/{b}".to_owned())));
}

#[test]
fn a_route_where_clients_connect_or_the_gateway_answers_is_a_mistake() {
    let one = file("one", "paths = ['/api/socketio']\n");
    let two = file("two", &ping("/api/socketio", ""));
    let mistakes = loaded(&[("one.toml", &one), ("two.toml", &two)]).unwrap_err();
    assert!(matches!(&*mistakes, [one] if one.contains("clients connect there")), "{mistakes:#?}");
    let docs = file("docs", &ping("/x", "root = false"));
    let mistakes = loaded(&[("docs.toml", &docs)]).unwrap_err();
    assert!(
        matches!(&*mistakes, [one] if one.contains("`/docs` is a path of the gateway's own")),
        "{mistakes:#?}"
    );
}

#[test]
fn a_route_shares_the_quota_of_an_event_or_has_its_own() {
    let quotas = "quotas = { say = '10/min' }\n";
    let say = "[[inbound]]\nevent = 'say'\naliases = ['talk']\ncommand = 'ping'\n";
    let dialect =
        compiled(&format!("{quotas}{say}{}{}", ping("/a", "quota = 'talk'"), ping("/b", "quota = '5/s'")));
    let quotas: Vec<_> = dialect.routes().iter().map(|route| route.quota().map(QuotaIndex::get)).collect();
    assert_eq!(quotas, [Some(0), Some(1)]);
    assert_eq!(dialect.quota_of("say").map(QuotaIndex::get), Some(0));
    let rates: Vec<u32> = dialect.quotas().iter().map(|quota| quota.rate.count.get()).collect();
    assert_eq!(rates, [10, 5]);
}
