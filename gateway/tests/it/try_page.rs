//! The page on which dialects are tried out: there when it is wanted, with nothing foreign in it.

#![cfg(test)]

use serde_json::{Value, json};

use crate::{
    app::{Gateway, TestApp},
    dialect::Folder,
    wire::client::{Answer, http},
};

const ON: (&str, &str) = ("server.try_page", "true");

/// A dialect whose namespace is where the page is, whose words are its own, and whose conversations are numbers that are
/// named in the handshake.
const TOY: &str = "name = \"try\"\n\
    [ids.conversation]\ntype = \"number\"\n\
    [handshake]\nconversation = [\"query.room\"]\n\
    [refusals]\ntoken_expired = \"too late\"\nother = \"no\"\n\
    [answer]\nack = { ok = true }\n[failure]\nack = { ok = false }\n\
    [[inbound]]\nevent = \"say\"\ncommand = \"message.send\"\n\
    fields.conversation = [\"room.id\", \"@conversation\"]\nfields.content = \"$2\"\n\
    answer.ack = { key = \"{message.id}\" }\n\
    [[outbound]]\non = \"message.created\"\nevent = \"said\"\npayload = { what = { key = \"{id}\" } }\n\
    [[route]]\nmethod = \"GET\"\npath = \"/hello\"\ncommand = \"ping\"\naccess = \"public\"\nroot = false\nanswer.body = { hello = true }\n";

async fn get(gateway: &Gateway, path: &str) -> Answer {
    http(&gateway.address, "GET", path, "", "").await
}

fn body(answer: &Answer) -> Value {
    serde_json::from_str(&answer.body).unwrap_or(Value::Null)
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn there_is_no_page_unless_it_is_wanted() {
    let folder = Folder::with(&[("toy.toml", TOY)]);
    let app = TestApp::new().await;
    let (off, on) = (app.gateway(&[folder.setting()]).await, app.gateway(&[folder.setting(), ON]).await);
    for path in ["/try", "/try/", "/try/page.js", "/try/dialects.json", "/try/none"] {
        let (without, with) = (get(&off, path).await, get(&on, path).await);
        assert_eq!((without.status, &body(&without)["code"]), (404, &json!("not_found")), "{path}");
        let status = match path {
            "/try/" => 308,
            "/try/none" => 404,
            _ => 200,
        };
        assert_eq!(with.status, status, "{path}");
    }
    let route = "/try/hello";
    assert_eq!(
        body(&get(&off, route).await),
        json!({"hello": true}),
        "a page that is off is in nobody's way"
    );
    assert_eq!(get(&on, route).await.status, 404);
    app.end().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_page_loads_its_own_files_alone_and_each_says_what_it_is() {
    let app = TestApp::new().await;
    let gateway = app.gateway(&[ON]).await;
    let page = get(&gateway, "/try").await;
    assert_eq!(page.header("content-type"), Some("text/html; charset=utf-8"));
    assert!(!page.body.contains("<style") && !page.body.contains("onclick") && !page.body.contains("style="));
    let mut waiting: Vec<String> =
        page.body.split('"').filter(|text| text.starts_with('/')).map(str::to_owned).collect();
    let mut loaded = Vec::new();
    while let Some(path) = waiting.pop() {
        if loaded.contains(&path) {
            continue;
        }
        let file = get(&gateway, &path).await;
        assert_eq!(file.status, 200, "{path}");
        let type_of_it = match path.rsplit_once('.').unwrap().1 {
            "js" => "text/javascript; charset=utf-8",
            "css" => "text/css; charset=utf-8",
            _ => "image/svg+xml; charset=utf-8",
        };
        assert_eq!(file.header("content-type"), Some(type_of_it), "{path}");
        let imports = file.body.split("from './").skip(1).filter_map(|rest| rest.split_once('\'')?.0.into());
        waiting.extend(imports.map(|name: &str| format!("/try/{name}")));
        loaded.push(path);
    }
    assert_eq!(loaded.len(), 7, "{loaded:?}");
    for path in loaded.iter().map(String::as_str).chain(["/try"]) {
        let policy = get(&gateway, path).await.header("content-security-policy").unwrap().to_owned();
        for part in policy.split(';').map(str::trim) {
            let (_, sources) = part.split_once(' ').unwrap();
            assert!(["'none'", "'self'"].contains(&sources), "{path}: {part}");
        }
        assert!(
            policy.contains("default-src 'none'") && policy.contains("frame-ancestors 'none'"),
            "{policy}"
        );
    }
    app.end().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_page_is_told_each_dialects_own_events() {
    let folder = Folder::with(&[("toy.toml", TOY)]);
    let app = TestApp::new().await;
    let settings =
        [folder.setting(), ON, ("server.socket_path", "/sockets"), ("auth.insecure_dialects", "try")];
    let told = body(&get(&app.gateway(&settings).await, "/try/dialects.json").await);
    assert_eq!(told["path"], "/sockets");
    let of =
        |name: &str| told["dialects"].as_array().unwrap().iter().find(|one| one["name"] == name).unwrap();
    let native = of("native");
    assert_eq!(native["namespace"], "/native");
    assert_eq!(native["handshake"], json!({"conversation": null, "user": null}), "it needs a token");
    let event = |event: &str, argument: Value| json!({"event": event, "arguments": [argument]});
    assert_eq!(
        native["commands"],
        json!({
            "echo": event("echo", json!("{payload}")),
            "conversation.join": event("conversation:join", json!({"conversationId": "{conversation}"})),
            "message.send":
                event("message:send", json!({"conversationId": "{conversation}", "content": "{content}"})),
            "typing.start": event("typing:start", json!({"conversationId": "{conversation}"})),
            "reaction.toggle": event("reaction:toggle", json!({"messageId": "{message}", "emoji": "{emoji}"})),
        })
    );
    assert_eq!(
        native["messages"],
        json!({"events": [["message:created", ["id"]]], "sent": ["message", "id"]})
    );
    assert_eq!(native["refusals"]["token_malformed"], "token_malformed");
    let toy = of("try");
    assert_eq!(toy["handshake"], json!({"conversation": "query.room", "user": "auth.userId"}));
    assert_eq!(
        (&native["numbersConversations"], &toy["numbersConversations"]),
        (&json!(false), &json!(true))
    );
    let say = json!({"event": "say", "arguments": [{"room": {"id": "{conversation}"}}, "{content}"]});
    assert_eq!(toy["commands"]["message.send"], say);
    assert_eq!(toy["commands"]["echo"], json!({"reason": "try has no event for echo"}));
    assert_eq!(toy["messages"], json!({"events": [["said", ["what", "key"]]], "sent": ["key"]}));
    assert_eq!(
        (&toy["refusals"]["token_expired"], &toy["refusals"]["forbidden"]),
        (&json!("too late"), &json!("no"))
    );
    app.end().await;
}
