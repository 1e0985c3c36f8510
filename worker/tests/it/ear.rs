//! What is published on channels, heard by a connection of its own.

use fred::{
    clients::Client,
    interfaces::{ClientLike, EventInterface, PubsubInterface},
    types::{Builder, config::Config},
};
use tokio::sync::broadcast::Receiver;

use crate::world::{DEADLINE, World};

/// Nothing that a worker publishes.
const END: &str = "end";

/// Hears some channels from its beginning to its end.
pub struct Ear {
    client: Client,
    speaker: Client,
    channel: String,
    heard: Receiver<fred::types::Message>,
}

impl Ear {
    pub async fn on(world: &World, channels: impl IntoIterator<Item = String>) -> Self {
        let mut builder = Builder::from_config(Config::from_url(&world.broker.config().url).unwrap());
        builder.with_performance_config(|performance| performance.broadcast_channel_capacity = 65_536);
        let client = builder.build().unwrap();
        client.init().await.unwrap();
        let heard = client.message_rx();
        let channels: Vec<String> = channels.into_iter().collect();
        for channel in &channels {
            client.ssubscribe(channel).await.unwrap();
        }
        Self { client, speaker: world.broker.client().clone(), channel: channels[0].clone(), heard }
    }

    /// The next text.
    pub async fn next(&mut self) -> String {
        let heard = tokio::time::timeout(DEADLINE, self.heard.recv()).await;
        heard.expect("something is published").unwrap().value.as_string().unwrap()
    }

    /// Everything else that was published before this.
    pub async fn rest(&mut self) -> Vec<String> {
        // On one connection what is published later is heard later, whatever the channel.
        let _: u64 = self.speaker.spublish(&self.channel, END).await.unwrap();
        let mut heard = Vec::new();
        loop {
            match self.next().await {
                text if text == END => return heard,
                text => heard.push(text),
            }
        }
    }

    pub async fn end(self) {
        self.client.quit().await.unwrap();
    }
}
