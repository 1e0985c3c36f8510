// A database of a suite's own in the Postgres that the tests were given.
import pg from 'pg';

let made = 0;

export class Database {
  static async create() {
    const server = process.env.PARLANCE_TEST_DATABASE_URL;
    if (!server) throw new Error('PARLANCE_TEST_DATABASE_URL is not set: start the tests with `make test-e2e`');
    const database = new Database();
    database.name = `e2e_${process.pid}_${Date.now()}_${(made += 1)}`;
    database.server = server;
    await database.#atServer(`CREATE DATABASE ${database.name}`);
    const url = new URL(server);
    url.pathname = `/${database.name}`;
    database.url = url.href;
    database.pool = new pg.Pool({ connectionString: database.url, max: 4 });
    return database;
  }

  /** The rows of a query. */
  async rows(query, ...values) {
    return (await this.pool.query(query, values)).rows;
  }

  /** The stored messages of a conversation, in its order. */
  async messages(conversationId) {
    return this.rows('SELECT * FROM messages WHERE conversation_id = $1 ORDER BY seq', conversationId);
  }

  /** Holds back everybody who writes to a table, until the returned function is called. */
  async lock(table) {
    const client = await this.pool.connect();
    await client.query(`BEGIN; LOCK TABLE ${table} IN ACCESS EXCLUSIVE MODE`);
    return async () => {
      await client.query('ROLLBACK');
      client.release();
    };
  }

  async drop() {
    await this.pool.end();
    await this.#atServer(`DROP DATABASE ${this.name} WITH (FORCE)`);
  }

  async #atServer(query) {
    const client = new pg.Client({ connectionString: this.server });
    await client.connect();
    try {
      await client.query(query);
    } finally {
      await client.end();
    }
  }
}
