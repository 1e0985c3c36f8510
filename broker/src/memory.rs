//! How full Redis is.

use fred::{
    interfaces::{ClientLike, ClusterInterface},
    types::InfoKind,
};

use crate::{broker::Broker, error::BrokerError, metrics::begin};

impl Broker {
    /// The used share of `maxmemory`, of the fullest primary; `None` when no bound is set.
    ///
    /// # Errors
    /// When Redis is away.
    pub async fn memory_used(&self) -> Result<Option<f64>, BrokerError> {
        let client = self.client();
        let primaries = match client.cached_cluster_state() {
            Some(state) if client.is_clustered() => state.unique_primary_nodes(),
            _ => Vec::new(),
        };
        if primaries.is_empty() {
            return Ok(used_share(
                &begin("memory").end(client.info::<String>(Some(InfoKind::Memory)).await)?,
            ));
        }
        let mut fullest: Option<f64> = None;
        for primary in primaries {
            let info: String =
                begin("memory").end(client.with_cluster_node(primary).info(Some(InfoKind::Memory)).await)?;
            fullest = used_share(&info).into_iter().chain(fullest).reduce(f64::max);
        }
        Ok(fullest)
    }
}

fn used_share(info: &str) -> Option<f64> {
    let number = |name: &str| {
        let line = info.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix(':'));
        line.and_then(|digits| digits.trim().parse::<f64>().ok())
    };
    let most = number("maxmemory").filter(|most| *most > 0.0)?;
    Some(number("used_memory")? / most)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_redis_without_a_bound_is_never_full() {
        assert_eq!(used_share("# Memory\r\nused_memory:50\r\nmaxmemory:0\r\n"), None);
        assert_eq!(used_share("used_memory:50\r\nused_memory_rss:99\r\nmaxmemory:200\r\n"), Some(0.25));
    }
}
