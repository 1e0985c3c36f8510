// The REST interface as an application's backend uses it: with a service key, acting for a user or for none.

export class Rest {
  constructor(url, serviceKey, actAs) {
    Object.assign(this, { url, serviceKey, actAs });
  }

  /** Answers `{status, body}`; the body is parsed where it is JSON. */
  async call(method, path, body) {
    const headers = { authorization: `Bearer ${this.serviceKey}` };
    if (this.actAs !== undefined) headers['x-act-as'] = this.actAs;
    if (body !== undefined) headers['content-type'] = 'application/json';
    const response = await fetch(this.url + path, { method, headers, body: JSON.stringify(body) });
    const text = await response.text();
    return { status: response.status, body: text === '' ? undefined : parse(text) };
  }

  /** As `call`, for what must succeed. */
  async expect(status, method, path, body) {
    const answer = await this.call(method, path, body);
    if (answer.status !== status) {
      throw new Error(`${method} ${path}: status ${answer.status} instead of ${status}, ${JSON.stringify(answer.body)}`);
    }
    return answer.body;
  }

  async createConversation(id, participants) {
    return this.expect(201, 'POST', '/v1/conversations', { id, participants });
  }

  /** All messages of a conversation, page by page. */
  async history(conversationId) {
    const messages = [];
    for (;;) {
      const after = messages.at(-1)?.seq ?? 0;
      const path = `/v1/conversations/${encodeURIComponent(conversationId)}/messages?after=${after}&limit=200`;
      const page = await this.expect(200, 'GET', path);
      messages.push(...page.messages);
      if (!page.hasMore) return messages;
    }
  }
}

function parse(text) {
  try {
    return JSON.parse(text);
  } catch {
    return text;
  }
}
