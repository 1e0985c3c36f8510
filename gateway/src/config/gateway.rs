//! `[gateway]`: what the gateway does for conversations, and which words it speaks.

use std::{num::NonZeroUsize, path::PathBuf, thread, time::Duration};

use parlance_chassis::config::{Invalid, Problem, Raw, Reader, Setting, parse, well_known};

use crate::{command::append::Acknowledgement, dialect::Selection, membership::Policy};

const POLICY: Setting = Setting::new(
    "gateway.policy",
    "Who may be in a conversation: `members` (its participants, as Postgres has them), `open` (every authenticated \
     user; conversations appear when they are used) or `token` (whoever has a token that lists it, see \
     `auth.conversation_claims`; conversations appear when they are used).",
)
.default("members");
const ACKNOWLEDGEMENT: Setting = Setting::new(
    "gateway.acknowledgement",
    "When a message is acknowledged: `stream` (Redis has it) or `replica` (at least one replica of Redis has it too, \
     within `redis.command_deadline`; otherwise `unavailable`).",
)
.default("stream");
const DIALECT: Setting =
    Setting::new("gateway.dialect", "The dialect of a client that connects to `/` and says nothing else.")
        .default("native");
const DIALECTS: Setting = Setting::new(
    "gateway.dialects",
    "The dialects of applications to be spoken beside the gateway's own: `clinic`, `conversations`, `diet`, `rooms`, \
     `studio`, or `all`.",
);
const DIALECTS_FOLDER: Setting = Setting::new(
    "gateway.dialects_folder",
    "A folder whose `*.toml` files are dialects too. One with the name of an application's dialect takes its place.",
);
const DISPATCH_WORKERS: Setting = Setting::new(
    "gateway.dispatch_workers",
    "How many workers hand events to sockets. As many as there are cores, when it is not set.",
);
const COMPARE_INTERVAL: Setting = Setting::new(
    "gateway.compare_interval",
    "How often every live conversation is compared with Redis, to find events that went unheard.",
)
.default("60s");
const RECEIPTS_INTERVAL: Setting = Setting::new(
    "gateway.receipts_interval",
    "How long delivery and read receipts are gathered before they are written and announced.",
)
.default("500ms");
const NAME: Setting = Setting::new(
    "gateway.name",
    "What the gateway is called where sockets and gateways are listed. Several may have one name.",
)
.env(well_known::HOSTNAME)
.default("gateway");
const PRESENCE_READERS: Setting = Setting::new(
    "gateway.presence_readers",
    "Who may ask for the presence of any user: `everyone` (who is authenticated) or `backends`; users are told of those \
     with whom they are in a conversation all the same. `backends` with the policy `token`, otherwise `everyone`, when it is \
     not set.",
);
const MODERATOR_ROLES: Setting = Setting::new(
    "gateway.moderator_roles",
    "The roles of users, as their tokens or a backend say, who may delete the messages of others.",
)
.default("admin,moderator");

const MOST_WORKERS: usize = 256;

/// Who may ask for the presence of any user.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum PresenceReaders {
    /// Whoever is authenticated.
    Everyone,
    /// Backends, and each user for himself.
    Backends,
}

/// What the gateway does for conversations, and which words it speaks.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct GatewaySection {
    /// Who may be in a conversation.
    pub policy: Policy,
    /// What an acknowledged message survives.
    pub acknowledgement: Acknowledgement,
    /// The default dialect's name.
    pub dialect: String,
    /// The dialects of applications that are spoken.
    pub dialects: Vec<String>,
    /// Where the operator's own dialects are.
    pub dialects_folder: Option<PathBuf>,
    /// At least one.
    pub dispatch_workers: usize,
    /// How often live conversations are compared with Redis.
    pub compare_interval: Duration,
    /// How long receipts are gathered.
    pub receipts_interval: Duration,
    /// What it is called.
    pub name: String,
    /// Who may ask for the presence of any user.
    pub presence_readers: PresenceReaders,
    /// The roles that may delete the messages of others.
    pub moderator_roles: Vec<String>,
}

impl GatewaySection {
    /// The dialects that are to be loaded.
    pub fn selection(&self) -> Selection<'_> {
        Selection { shipped: &self.dialects, folder: self.dialects_folder.as_deref(), default: &self.dialect }
    }

    /// What can be set here.
    pub const SETTINGS: &'static [Setting] = &[
        POLICY,
        ACKNOWLEDGEMENT,
        DIALECT,
        DIALECTS,
        DIALECTS_FOLDER,
        DISPATCH_WORKERS,
        COMPARE_INTERVAL,
        RECEIPTS_INTERVAL,
        NAME,
        PRESENCE_READERS,
        MODERATOR_ROLES,
    ];

    /// Reads the section.
    ///
    /// # Errors
    /// When something in it is wrong.
    pub fn read(reader: &mut Reader<'_>) -> Result<Self, Invalid> {
        let policies =
            parse::word(&[("members", Policy::Members), ("open", Policy::Open), ("token", Policy::Token)]);
        let policy = reader.require(&POLICY, policies);
        let levels =
            parse::word(&[("stream", Acknowledgement::Stream), ("replica", Acknowledgement::Replica)]);
        let acknowledgement = reader.require(&ACKNOWLEDGEMENT, levels);
        let dialect = reader.require(&DIALECT, parse::text(1..=64));
        let dialects = reader.optional(&DIALECTS, parse::list(parse::text(1..=64)));
        let dialects_folder = reader.optional(&DIALECTS_FOLDER, folder);
        let dispatch_workers = reader.optional(&DISPATCH_WORKERS, parse::number(1..=MOST_WORKERS));
        let second = Duration::from_secs(1);
        let compare_interval = reader.require(&COMPARE_INTERVAL, parse::duration(second..=second * 3_600));
        let receipts = Duration::from_millis(10)..=second * 60;
        let receipts_interval = reader.require(&RECEIPTS_INTERVAL, parse::duration(receipts));
        let name = reader.require(&NAME, parse::text(1..=253));
        let readers =
            parse::word(&[("everyone", PresenceReaders::Everyone), ("backends", PresenceReaders::Backends)]);
        let presence_readers = reader.optional(&PRESENCE_READERS, readers);
        let moderator_roles = reader.require(&MODERATOR_ROLES, parse::list(parse::text(1..=64)));
        let policy = policy?;
        let usual_readers = match policy {
            Policy::Token => PresenceReaders::Backends,
            Policy::Members | Policy::Open => PresenceReaders::Everyone,
        };
        Ok(Self {
            policy,
            acknowledgement: acknowledgement?,
            dialect: dialect?,
            dialects: dialects?.unwrap_or_default(),
            dialects_folder: dialects_folder?,
            dispatch_workers: dispatch_workers?.unwrap_or_else(cores),
            compare_interval: compare_interval?,
            receipts_interval: receipts_interval?,
            name: name?,
            presence_readers: presence_readers?.unwrap_or(usual_readers),
            moderator_roles: moderator_roles?,
        })
    }
}

fn folder(raw: &Raw) -> Result<PathBuf, Problem> {
    let path = PathBuf::from(raw.text()?);
    if path.is_dir() {
        return Ok(path);
    }
    Err(Problem::new("is not a folder that can be read"))
}

fn cores() -> usize {
    thread::available_parallelism().map_or(1, NonZeroUsize::get).min(MOST_WORKERS)
}
