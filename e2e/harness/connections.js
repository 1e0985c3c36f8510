// What the kernel knows of TCP connections on the loopback address: a test's view past clients and servers alike.
import { readFile } from 'node:fs/promises';

const ESTABLISHED = '01';

/** The connections that a server on `port` has, from its side: `{remotePort, established, unsent}`. */
export async function connectionsOf(port) {
  const lines = (await readFile('/proc/net/tcp', 'utf8')).trim().split('\n').slice(1);
  return lines
    .map((line) => line.trim().split(/\s+/))
    .map(([, local, remote, state, queues]) => ({
      localPort: parseInt(local.split(':')[1], 16),
      remotePort: parseInt(remote.split(':')[1], 16),
      established: state === ESTABLISHED,
      listening: state === '0A',
      // Bytes that the other side's kernel has not taken.
      unsent: parseInt(queues.split(':')[0], 16),
    }))
    .filter(({ localPort, listening }) => localPort === port && !listening);
}

/** How many clients are connected to a server on `port`. */
export async function connectionsTo(port) {
  return (await connectionsOf(port)).filter(({ established }) => established).length;
}
