// Where the tests find what they test.
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';

export const repository = fileURLToPath(new URL('../..', import.meta.url));

/** The folder of the built binaries. */
export const binaries = process.env.PARLANCE_BIN ?? join(process.env.CARGO_TARGET_DIR ?? join(repository, 'target'), 'debug');

/** Each suite writes its logs into a folder of its own below. */
export const logs = join(repository, 'e2e/.logs');
