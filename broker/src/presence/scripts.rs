//! The scripts of presence, each after the texts that it needs.

use crate::script::Script;

/// A script after the texts that it needs.
macro_rules! script {
    ($name:literal $(after $($needed:literal),+)?) => {
        Script::new(
            $name,
            concat!(
                $($(include_str!(concat!("../../lua/", $needed, ".lua")),)+)?
                include_str!(concat!("../../lua/", $name, ".lua"))
            ),
        )
    };
}

/// A script that makes a step.
macro_rules! step {
    ($name:literal) => {
        script!($name after "lease", "presence", "presence_step")
    };
}

#[derive(Debug)]
pub(super) struct Scripts {
    pub(super) connect: Script,
    pub(super) disconnect: Script,
    pub(super) status: Script,
    pub(super) expel: Script,
    pub(super) visit: Script,
    pub(super) leave: Script,
    pub(super) announced: Script,
    pub(super) waiting: Script,
    pub(super) again: Script,
    pub(super) get: Script,
    pub(super) sessions: Script,
    pub(super) online: Script,
    pub(super) last_seen: Script,
    pub(super) stored: Script,
}

impl Scripts {
    pub(super) fn new() -> Self {
        Self {
            connect: step!("presence_connect"),
            disconnect: step!("presence_disconnect"),
            status: step!("presence_status"),
            expel: step!("presence_expel"),
            visit: script!("presence_visit" after "lease", "presence"),
            leave: script!("presence_leave"),
            announced: script!("presence_announced"),
            waiting: script!("presence_waiting" after "lease"),
            again: script!("presence_again" after "lease", "presence"),
            get: script!("presence_get" after "lease", "presence"),
            sessions: script!("presence_sessions" after "lease", "presence"),
            online: script!("presence_online"),
            last_seen: script!("presence_last_seen"),
            stored: script!("presence_stored"),
        }
    }
}
