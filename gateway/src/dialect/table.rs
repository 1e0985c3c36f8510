//! A dialect file as it is written: which keys there are and what type each has. What the words in them mean
//! is the business of `validate`.

use toml::{Table, Value};

use super::{behaviour, handshake, mistake::Mistakes, route, section::Section};

/// The whole file.
#[derive(Debug, Default)]
pub(super) struct File {
    pub(super) name: Option<String>,
    pub(super) namespaces: Vec<String>,
    pub(super) hosts: Vec<String>,
    pub(super) paths: Vec<String>,
    pub(super) origins: Option<Vec<String>>,
    pub(super) times: Option<String>,
    pub(super) user_ids: Ids,
    pub(super) conversation_ids: Ids,
    pub(super) handshake: handshake::Written,
    pub(super) behaviour: behaviour::Written,
    pub(super) quotas: Table,
    pub(super) refusals: Table,
    pub(super) answer: Form,
    pub(super) failure: Form,
    pub(super) inbound: Vec<Inbound>,
    pub(super) outbound: Vec<Outbound>,
    pub(super) routes: Vec<route::Written>,
}

/// `[ids.user]`, `[ids.conversation]`.
#[derive(Debug, Default)]
pub(super) struct Ids {
    pub(super) kind: Option<String>,
    pub(super) prefix: Option<String>,
}

/// `[answer]` and `[failure]`, of the file or of one inbound rule.
#[derive(Debug, Default)]
pub(super) struct Form {
    pub(super) ack: Option<Value>,
    pub(super) emit: Option<Vec<Emit>>,
    pub(super) texts: Table,
    pub(super) codes: Table,
}

/// `[[answer.emit]]`: an event to the caller.
#[derive(Debug)]
pub(super) struct Emit {
    pub(super) key: String,
    pub(super) event: Option<String>,
    pub(super) payload: Option<Value>,
    pub(super) only_without_ack: bool,
    pub(super) conditions: Conditions,
}

/// `when`, `present` and `absent` of a rule.
#[derive(Debug, Default, PartialEq)]
pub(super) struct Conditions {
    pub(super) when: Table,
    pub(super) present: Vec<String>,
    pub(super) absent: Vec<String>,
}

/// `[[inbound]]`.
#[derive(Debug, Default)]
pub(super) struct Inbound {
    pub(super) key: String,
    pub(super) event: Option<String>,
    pub(super) aliases: Vec<String>,
    pub(super) conditions: Conditions,
    pub(super) command: Option<String>,
    pub(super) fields: Table,
    pub(super) constants: Table,
    pub(super) defaults: Table,
    pub(super) answer: Form,
    pub(super) failure: Form,
}

/// `[[outbound]]`.
#[derive(Debug)]
pub(super) struct Outbound {
    pub(super) key: String,
    pub(super) on: Option<String>,
    pub(super) event: Option<String>,
    pub(super) audience: Option<String>,
    pub(super) conditions: Conditions,
    pub(super) each: Option<String>,
    pub(super) payload: Option<Value>,
}

/// Whether a file gives its dialect this name, whatever else is wrong with it.
pub(super) fn names(text: &str, name: &str) -> bool {
    text.parse::<Table>().is_ok_and(|table| table.get("name").and_then(Value::as_str) == Some(name))
}

/// Reads the structure. What does not fit is noted and left out.
pub(super) fn read(text: &str, mistakes: &Mistakes) -> Option<File> {
    match text.parse::<Table>() {
        Ok(table) => Some(file(Section::new("", table, mistakes))),
        Err(error) => {
            let line =
                error.span().and_then(|span| text.get(..span.start)).map(|before| before.split('\n').count());
            let key = line.map_or_else(String::new, |line| format!("line {line}"));
            mistakes.add(&key, error.message());
            None
        }
    }
}

fn file(mut section: Section<'_>) -> File {
    let mut id_sections = section.section("ids");
    let file = File {
        name: section.required_text("name"),
        namespaces: section.texts("namespaces"),
        hosts: section.texts("hosts"),
        paths: section.texts("paths"),
        origins: section.optional_texts("origins"),
        times: section.text("times"),
        user_ids: ids(id_sections.section("user")),
        conversation_ids: ids(id_sections.section("conversation")),
        handshake: handshake::Written::read(section.section("handshake")),
        behaviour: behaviour::Written::read(section.section("behaviour")),
        quotas: section.table("quotas"),
        refusals: section.table("refusals"),
        answer: answer(section.section("answer")),
        failure: failure(section.section("failure")),
        inbound: section.sections("inbound").unwrap_or_default().into_iter().map(inbound).collect(),
        outbound: section.sections("outbound").unwrap_or_default().into_iter().map(outbound).collect(),
        routes: section.sections("route").unwrap_or_default().into_iter().map(route::Written::read).collect(),
    };
    id_sections.finish();
    section.finish();
    file
}

fn ids(mut section: Section<'_>) -> Ids {
    let ids = Ids { kind: section.text("type"), prefix: section.text("prefix") };
    section.finish();
    ids
}

fn answer(mut section: Section<'_>) -> Form {
    let form = Form { ack: section.any("ack"), emit: emits(&mut section), ..Form::default() };
    section.finish();
    form
}

fn failure(mut section: Section<'_>) -> Form {
    let form = Form {
        ack: section.any("ack"),
        emit: emits(&mut section),
        texts: section.table("texts"),
        codes: section.table("codes"),
    };
    section.finish();
    form
}

fn emits(section: &mut Section<'_>) -> Option<Vec<Emit>> {
    let emit = |mut section: Section<'_>| {
        let emit = Emit {
            event: section.required_text("event"),
            payload: section.any("payload"),
            only_without_ack: section.flag("only_without_ack"),
            conditions: conditions(&mut section),
            key: section.path().to_owned(),
        };
        section.finish();
        emit
    };
    Some(section.sections("emit")?.into_iter().map(emit).collect())
}

fn conditions(section: &mut Section<'_>) -> Conditions {
    Conditions {
        when: section.table("when"),
        present: section.texts("present"),
        absent: section.texts("absent"),
    }
}

fn inbound(mut section: Section<'_>) -> Inbound {
    let event = section.required_text("event");
    if let Some(event) = &event {
        section.rename(format!("inbound[{event}]"));
    }
    let inbound = Inbound {
        key: section.path().to_owned(),
        event,
        aliases: section.texts("aliases"),
        conditions: conditions(&mut section),
        command: section.required_text("command"),
        fields: section.table("fields"),
        constants: section.table("constants"),
        defaults: section.table("defaults"),
        answer: answer(section.section("answer")),
        failure: failure(section.section("failure")),
    };
    section.finish();
    inbound
}

fn outbound(mut section: Section<'_>) -> Outbound {
    let event = section.required_text("event");
    if let Some(event) = &event {
        section.rename(format!("outbound[{event}]"));
    }
    let outbound = Outbound {
        key: section.path().to_owned(),
        event,
        on: section.required_text("on"),
        audience: section.text("audience"),
        conditions: conditions(&mut section),
        each: section.text("each"),
        payload: section.any("payload"),
    };
    section.finish();
    outbound
}
