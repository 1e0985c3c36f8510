//! Checks how commands are answered: the file's own forms, and those of single rules.

use std::sync::Arc;

use parlance_domain::command::CommandName;
use serde_json::Value;

use super::{
    super::{
        answer::{Answering, Emit, Failure, Form},
        mistake::Mistakes,
        notation::Notation,
        table::{self, File},
        template::{Condition, Scope, Template, compile},
        vocabulary::{self, Shape},
        words::Words,
    },
    check_event,
};

/// Where a form stands: what the rule says wins over what the whole file says.
struct Layers<'a> {
    rule: Option<(&'a table::Form, &'a str)>,
    file: (&'a table::Form, &'static str),
}

/// The file's `[failure]`, for commands that no rule knows and for rules that say nothing. Also notes what the
/// file lacks, and what in its `[answer]` not every reply has.
pub(super) fn failure(file: &File, notation: &Notation, mistakes: &Mistakes) -> Failure {
    let scope = Scope::of(Shape::Object(&[]));
    let general = Layers { rule: None, file: (&file.answer, "answer") };
    general.form(&scope, notation, mistakes);
    let layers = Layers { rule: None, file: (&file.failure, "failure") };
    Failure {
        form: layers.form(&Scope::of(vocabulary::FAILURE), notation, mistakes),
        texts: layers.words("texts", |form| &form.texts, mistakes),
        codes: layers.words("codes", |form| &form.codes, mistakes),
    }
}

/// How the commands of one rule are answered.
pub(super) fn answering(
    file: &File,
    rule: &table::Inbound,
    command: CommandName,
    notation: &Notation,
    general: &Arc<Failure>,
    mistakes: &Mistakes,
) -> Answering {
    let answer_key = format!("{}.answer", rule.key);
    let success = Layers { rule: Some((&rule.answer, &answer_key)), file: (&file.answer, "answer") };
    let success = success.form(&Scope::answering(vocabulary::reply(command), command), notation, mistakes);
    if rule.failure.is_empty() {
        let failure = Arc::clone(general);
        return Answering { success, failure };
    }
    let failure_key = format!("{}.failure", rule.key);
    let layers = Layers { rule: Some((&rule.failure, &failure_key)), file: (&file.failure, "failure") };
    let failure = Failure {
        form: layers.form(&Scope::answering(vocabulary::FAILURE, command), notation, mistakes),
        texts: layers.words("texts", |form| &form.texts, mistakes),
        codes: layers.words("codes", |form| &form.codes, mistakes),
    };
    Answering { success, failure: Arc::new(failure) }
}

impl table::Form {
    fn is_empty(&self) -> bool {
        self.ack.is_none() && self.emit.is_none() && self.texts.is_empty() && self.codes.is_empty()
    }
}

impl Layers<'_> {
    fn form(&self, scope: &Scope, notation: &Notation, mistakes: &Mistakes) -> Form {
        let (file, file_key) = self.file;
        // What the file says was checked once by itself; within a rule it is only compiled again.
        let checked = Mistakes::of("");
        let for_file = if self.rule.is_some() { &checked } else { mistakes };
        let rule_ack = self.rule.and_then(|(form, key)| Some((form.ack.as_ref()?, key)));
        let ack = match (rule_ack, &file.ack) {
            (Some((ack, key)), _) => compile(ack, &format!("{key}.ack"), scope, mistakes),
            (None, Some(ack)) => compile(ack, &format!("{file_key}.ack"), scope, for_file),
            (None, None) => {
                for_file.add_with_hint(
                    &format!("{file_key}.ack"),
                    "is missing: a client that passes an acknowledgement waits for it",
                    "ack = { ok = true }",
                );
                Template::Constant(Value::Null)
            }
        };
        let rule_emits = self.rule.and_then(|(form, _)| form.emit.as_deref());
        let emits = match (rule_emits, file.emit.as_deref()) {
            (Some(emits), _) => compile_emits(emits, scope, notation, mistakes),
            (None, emits) => compile_emits(emits.unwrap_or_default(), scope, notation, for_file),
        };
        Form { ack, emits }
    }

    fn words(
        &self,
        name: &str,
        table: impl Fn(&table::Form) -> &toml::Table,
        mistakes: &Mistakes,
    ) -> [Words; 2] {
        let (file, file_key) = self.file;
        let checked = Mistakes::of("");
        let for_file = if self.rule.is_some() { &checked } else { mistakes };
        let of_rule = self.rule.map(|(form, key)| {
            let key = format!("{key}.{name}");
            Words::read(table(form), &key, mistakes)
        });
        [of_rule.unwrap_or_default(), Words::read(table(file), &format!("{file_key}.{name}"), for_file)]
    }
}

fn compile_emits(
    emits: &[table::Emit],
    scope: &Scope,
    notation: &Notation,
    mistakes: &Mistakes,
) -> Vec<Emit> {
    let mut compiled = Vec::with_capacity(emits.len());
    for emit in emits {
        let Some(event) = &emit.event else {
            continue;
        };
        check_event(event, &format!("{}.event", emit.key), mistakes);
        let payload = emit.payload.as_ref();
        compiled.push(Emit {
            event: Arc::from(event.as_str()),
            payload: payload
                .map(|payload| compile(payload, &format!("{}.payload", emit.key), scope, mistakes)),
            only_without_ack: emit.only_without_ack,
            condition: Condition::compile(&emit.conditions, &emit.key, scope, notation, mistakes),
        });
    }
    compiled
}
