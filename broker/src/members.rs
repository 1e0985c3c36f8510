//! Who is in a conversation now, on whatever gateway: each user once, under the leases of the gateways where he has a
//! socket there. That somebody came or went is published on the conversation's channel by the script that finds it
//! out, so that it is told exactly when it is so.

use std::collections::HashSet;

use parlance_domain::{
    id::{ConversationId, UserId},
    presence::Member,
    user::Profile,
};

use crate::{
    broker::Broker,
    error::BrokerError,
    lease::LeaseId,
    script::{Script, words},
};

/// How long a Redis must have run before it is asked who is here: gateways reconnect within a second or so, and tell it
/// again.
const SETTLED_SECONDS: u64 = 3;
/// How many users one run of a script writes.
const WRITTEN_A_RUN: usize = 500;
/// How many users one run of a script reads, about.
const READ_A_RUN: u64 = 1_000;
/// How many pages of who is in a conversation are read: a bound, should Redis never come to an end.
const MAX_PAGES: usize = 10_000;

/// Who came to a gateway's room of a conversation, and who is not there any more.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Changes {
    /// Users with their first socket there.
    pub came: Vec<Profile>,
    /// Users who have no socket there any more.
    pub went: Vec<UserId>,
    /// Nobody is left there.
    pub is_empty: bool,
}

/// What a change meant for the conversation as a whole.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Changed {
    /// Who was not in the conversation before under a lease that holds, when members are announced. Only of those who
    /// were not there under an expired one either the conversation was told.
    pub came: Vec<UserId>,
    /// Who is not in the conversation any more, on no gateway.
    pub went: Vec<UserId>,
    /// Whether the conversation is so small that its members are announced.
    pub is_announced: bool,
}

/// Writes and reads who is where.
#[derive(Debug, Clone)]
pub struct Members {
    broker: Broker,
    change: Script,
    page: Script,
    some: Script,
    under: Script,
}

impl Members {
    /// On this Redis.
    pub fn new(broker: Broker) -> Self {
        /// A script that looks up leases.
        macro_rules! script {
            ($name:literal $(after $($needed:literal),+)?) => {
                Script::new(
                    $name,
                    concat!(
                        $($(include_str!(concat!("../lua/", $needed, ".lua")),)+)?
                        include_str!(concat!("../lua/", $name, ".lua"))
                    ),
                )
            };
        }
        Self {
            broker,
            change: script!("members_change" after "lease"),
            page: script!("members_page" after "lease", "members"),
            some: script!("members_some" after "lease", "members"),
            under: script!("members_under"),
        }
    }

    /// Notes a change of a gateway's room. In a conversation with more than `announced` members nobody is announced.
    /// Under a lease that does not hold (any more) nobody comes, and whoever renews it will find that out.
    ///
    /// To repeat it does no harm, but only the first one says who came: what depends on that for each of them, such as
    /// [`crate::presence::Presences::visit`], is better done for everybody who came to the gateway.
    ///
    /// # Errors
    /// When Redis is away; then it is unknown what took effect.
    pub async fn change(
        &self,
        lease: &LeaseId,
        conversation: &ConversationId,
        changes: &Changes,
        announced: u64,
    ) -> Result<Changed, BrokerError> {
        let came: Vec<Member> = changes.came.iter().map(|user| Member { user: user.clone() }).collect();
        let mut runs: Vec<Run<'_>> = Vec::new();
        runs.extend(came.chunks(WRITTEN_A_RUN).map(|came| Run { came, ..Run::default() }));
        runs.extend(changes.went.chunks(WRITTEN_A_RUN).map(|went| Run { went, ..Run::default() }));
        // One command for what usually is one.
        if let [Run { went, .. }, Run { went: next, .. }] = runs.as_mut_slice()
            && came.len() + changes.went.len() <= WRITTEN_A_RUN
        {
            *went = next;
            runs.truncate(1);
        }
        if changes.is_empty {
            match runs.last_mut() {
                Some(last) => last.is_empty = true,
                None => runs.push(Run { is_empty: true, ..Run::default() }),
            }
        }
        let mut changed = Changed::default();
        for run in runs {
            let Some(part) = self.run(lease, conversation, &run, announced).await? else { continue };
            changed.came.extend(part.came);
            changed.went.extend(part.went);
            changed.is_announced = part.is_announced;
        }
        Ok(changed)
    }

    /// Removes everybody who is in a conversation under an expired lease only, and the registration itself. Under a
    /// lease that holds everybody stays.
    ///
    /// # Errors
    /// When Redis is away.
    pub async fn expel(
        &self,
        lease: &LeaseId,
        conversation: &ConversationId,
        announced: u64,
    ) -> Result<(), BrokerError> {
        let mut cursor = String::from("0");
        for _ in 0..MAX_PAGES {
            let keys = vec![self.broker.keys().members(conversation)];
            let arguments = vec![cursor, READ_A_RUN.to_string(), lease.as_str().to_owned()];
            let answer = words(self.under.run(self.broker.client(), keys, arguments).await?)?;
            let (next, users) = answer.split_first().ok_or_else(|| unexpected(&answer))?;
            let users = users.iter().map(parse_user).collect::<Result<Vec<_>, _>>()?;
            let is_last = next == "0";
            for went in users.chunks(WRITTEN_A_RUN) {
                let run = Run { went, if_expired: true, ..Run::default() };
                self.run(lease, conversation, &run, announced).await?;
            }
            if is_last {
                let run = Run { is_empty: true, if_expired: true, ..Run::default() };
                self.run(lease, conversation, &run, announced).await?;
                return Ok(());
            }
            cursor = next.clone();
        }
        Err(BrokerError::Unexpected(format!("no end of the members of {conversation}")))
    }

    /// All users who are in the conversation.
    ///
    /// # Errors
    /// [`BrokerError::Unavailable`] when Redis is away, and also when it started so recently that gateways may not
    /// have told it again who is here.
    pub async fn users(&self, conversation: &ConversationId) -> Result<HashSet<UserId>, BrokerError> {
        let mut users = HashSet::new();
        let mut cursor = String::from("0");
        for _ in 0..MAX_PAGES {
            let arguments = vec![cursor, READ_A_RUN.to_string(), SETTLED_SECONDS.to_string()];
            let answer =
                words(self.page.run(self.broker.client(), self.keys(conversation), arguments).await?)?;
            match answer.as_slice() {
                [first, next, page @ ..] if first == "ok" => {
                    for user in page {
                        users.insert(parse_user(user)?);
                    }
                    if next == "0" {
                        return Ok(users);
                    }
                    cursor = next.clone();
                }
                [first] if first == "young" => {
                    let text = String::from("redis has just started and knows nobody yet");
                    return Err(BrokerError::Unavailable(text));
                }
                _ => return Err(unexpected(&answer)),
            }
        }
        Err(BrokerError::Unexpected(format!("no end of the members of {conversation}")))
    }

    /// Some of the users who are in the conversation, at most `most` (and at most a thousand), and how many there are
    /// about.
    ///
    /// # Errors
    /// When Redis is away.
    pub async fn some(
        &self,
        conversation: &ConversationId,
        most: u64,
    ) -> Result<(Vec<UserId>, u64), BrokerError> {
        let arguments = vec![most.min(READ_A_RUN).to_string()];
        let answer = words(self.some.run(self.broker.client(), self.keys(conversation), arguments).await?)?;
        let (count, users) = answer.split_first().ok_or_else(|| unexpected(&answer))?;
        let count = count.parse().map_err(|_| unexpected(&answer))?;
        Ok((users.iter().map(parse_user).collect::<Result<_, _>>()?, count))
    }

    /// Members and leases.
    fn keys(&self, conversation: &ConversationId) -> Vec<String> {
        let names = self.broker.keys();
        let partition = names.partitions().of(conversation.as_str());
        vec![names.members(conversation), names.leases(partition)]
    }

    /// `None` when it was to be done only if the lease has expired, and it has not.
    async fn run(
        &self,
        lease: &LeaseId,
        conversation: &ConversationId,
        run: &Run<'_>,
        announced: u64,
    ) -> Result<Option<Changed>, BrokerError> {
        let names = self.broker.keys();
        let partition = names.partitions().of(conversation.as_str());
        let mut keys = self.keys(conversation);
        keys.extend([names.rooms(partition), names.registrations(partition, lease)]);
        let flag = |is: bool| String::from(if is { "1" } else { "" });
        let mut arguments = vec![
            lease.as_str().to_owned(),
            conversation.as_str().to_owned(),
            names.channel(conversation),
            announced.to_string(),
            flag(run.is_empty),
            flag(run.if_expired),
            run.came.len().to_string(),
        ];
        for member in run.came {
            let body = serde_json::to_string(member);
            let body = body.map_err(|error| BrokerError::Unexpected(error.to_string()))?;
            arguments.extend([member.user.id.as_str().to_owned(), body]);
        }
        arguments.extend(run.went.iter().map(|user| user.as_str().to_owned()));
        read(&words(self.change.run(self.broker.client(), keys, arguments).await?)?)
    }
}

/// What one run of the script does.
#[derive(Default)]
struct Run<'a> {
    came: &'a [Member],
    went: &'a [UserId],
    is_empty: bool,
    /// Only under a lease that has expired.
    if_expired: bool,
}

fn read(answer: &[String]) -> Result<Option<Changed>, BrokerError> {
    let (is_announced, came, users) = match answer {
        [first] if first == "none" => return Ok(None),
        [first, is_announced, came, users @ ..] if first == "ok" => (is_announced == "1", came, users),
        _ => return Err(unexpected(answer)),
    };
    let split = came.parse().ok().and_then(|came| users.split_at_checked(came));
    let (came, went) = split.ok_or_else(|| unexpected(answer))?;
    let ids = |names: &[String]| names.iter().map(parse_user).collect::<Result<Vec<_>, _>>();
    let came = if is_announced { ids(came)? } else { Vec::new() };
    Ok(Some(Changed { came, went: ids(went)?, is_announced }))
}

fn parse_user(name: &String) -> Result<UserId, BrokerError> {
    UserId::new(name).map_err(|_| unexpected(std::slice::from_ref(name)))
}

fn unexpected(answer: &[String]) -> BrokerError {
    BrokerError::Unexpected(format!("{answer:?} of members"))
}
