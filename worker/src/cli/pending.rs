//! `worker pending`: what waits in the streams, and for which workers.

use std::io::Write;

use parlance_broker::{
    Broker,
    ingest::{StreamKind, StreamStatus},
    partition::Partition,
};

use super::Failure;

/// Prints a line for each stream that is not empty, one for each of its consumers, and the sums.
pub(super) async fn print(broker: &Broker, output: &mut impl Write) -> Result<(), Failure> {
    let (mut entries, mut bytes, mut pending) = (0, 0, 0);
    for partition in broker.keys().partitions().all() {
        for stream in StreamKind::ALL {
            let status = broker.stream_status(partition, stream).await?;
            entries += status.entries;
            bytes += status.bytes;
            pending += status.pending;
            print_stream(partition, stream, &status, output)?;
        }
    }
    writeln!(output, "total entries={entries} bytes={bytes} pending={pending}")?;
    Ok(())
}

fn print_stream(
    partition: Partition,
    stream: StreamKind,
    status: &StreamStatus,
    output: &mut impl Write,
) -> Result<(), Failure> {
    let StreamStatus { entries, bytes, pending, oldest, consumers } = status;
    if *entries == 0 && *pending == 0 {
        return Ok(());
    }
    let oldest = oldest.map_or_else(|| String::from("-"), |id| id.to_string());
    let (partition, stream) = (partition.0, stream.as_str());
    writeln!(
        output,
        "partition={partition} stream={stream} entries={entries} bytes={bytes} pending={pending} oldest={oldest}"
    )?;
    for consumer in consumers.iter().filter(|consumer| consumer.pending > 0) {
        let (name, pending, idle) = (&consumer.name, consumer.pending, consumer.idle.as_millis());
        writeln!(output, "  consumer={name} pending={pending} idle_ms={idle}")?;
    }
    Ok(())
}
