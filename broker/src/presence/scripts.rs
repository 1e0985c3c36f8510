//! The scripts of presence, each after the texts that it needs.

use crate::script::Script;

/// A script after the texts that it needs.
macro_rules! script {
    ($($file:literal),+) => {
        Script::new(concat!($(include_str!(concat!("../../lua/", $file))),+))
    };
}

/// A script that makes a step.
macro_rules! step {
    ($file:literal) => {
        script!("lease.lua", "presence.lua", "presence_step.lua", $file)
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
            connect: step!("presence_connect.lua"),
            disconnect: step!("presence_disconnect.lua"),
            status: step!("presence_status.lua"),
            expel: step!("presence_expel.lua"),
            visit: script!("lease.lua", "presence.lua", "presence_visit.lua"),
            leave: script!("presence_leave.lua"),
            announced: script!("presence_announced.lua"),
            waiting: script!("lease.lua", "presence_waiting.lua"),
            again: script!("lease.lua", "presence.lua", "presence_again.lua"),
            get: script!("lease.lua", "presence.lua", "presence_get.lua"),
            sessions: script!("lease.lua", "presence.lua", "presence_sessions.lua"),
            online: script!("presence_online.lua"),
            last_seen: script!("presence_last_seen.lua"),
            stored: script!("presence_stored.lua"),
        }
    }
}
