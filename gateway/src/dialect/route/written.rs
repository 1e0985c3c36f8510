//! `[[route]]` as it is written. What the words mean is the business of `check`.

use toml::{Table, Value};

use super::super::{section::Section, table::Inbound};

/// One `[[route]]`.
#[derive(Debug)]
pub(in crate::dialect) struct Written {
    /// The command and its fields, as in `[[inbound]]`.
    pub(super) rule: Inbound,
    pub(super) method: Option<String>,
    pub(super) path: Option<String>,
    pub(super) paths: Vec<String>,
    pub(super) root: Option<Value>,
    pub(super) handler: Option<String>,
    pub(super) access: Option<String>,
    pub(super) cors: Option<String>,
    pub(super) cache: Option<String>,
    pub(super) quota: Option<String>,
    pub(super) max_body: Option<String>,
    pub(super) uploads: Vec<String>,
    pub(super) answer: Answer,
    pub(super) failure: Failure,
}

/// `answer`.
#[derive(Debug)]
pub(super) struct Answer {
    pub(super) status: Option<Value>,
    pub(super) body: Option<Value>,
}

/// `failure`.
#[derive(Debug)]
pub(super) struct Failure {
    pub(super) body: Option<Value>,
    pub(super) statuses: Table,
    pub(super) texts: Table,
    pub(super) codes: Table,
}

impl Written {
    pub(in crate::dialect) fn read(mut section: Section<'_>) -> Self {
        let method = section.required_text("method");
        let path = section.required_text("path");
        if let (Some(method), Some(path)) = (&method, &path) {
            section.rename(format!("route[{method} {path}]"));
        }
        let rule = Inbound {
            key: section.path().to_owned(),
            command: section.text("command"),
            fields: section.table("fields"),
            constants: section.table("constants"),
            defaults: section.table("defaults"),
            ..Inbound::default()
        };
        let written = Self {
            rule,
            method,
            path,
            paths: section.texts("paths"),
            root: section.any("root"),
            handler: section.text("handler"),
            access: section.text("access"),
            cors: section.text("cors"),
            cache: section.text("cache"),
            quota: section.text("quota"),
            max_body: section.text("max_body"),
            uploads: section.texts("uploads"),
            answer: Answer::read(section.section("answer")),
            failure: Failure::read(section.section("failure")),
        };
        section.finish();
        written
    }

    pub(super) fn key(&self) -> &str {
        &self.rule.key
    }
}

impl Answer {
    fn read(mut section: Section<'_>) -> Self {
        let answer = Self { status: section.any("status"), body: section.any("body") };
        section.finish();
        answer
    }
}

impl Failure {
    fn read(mut section: Section<'_>) -> Self {
        let failure = Self {
            body: section.any("body"),
            statuses: section.table("statuses"),
            texts: section.table("texts"),
            codes: section.table("codes"),
        };
        section.finish();
        failure
    }
}
