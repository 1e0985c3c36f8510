// What an application's backend does before and after: conversations, notifications, with a service key.
import { sleep } from 'k6';
import http from 'k6/http';

import { serviceKey, target } from './settings.js';

/** The API creates a conversation with so many participants at most; the others are added one by one. */
const AT_ONCE = 1000;
/** So few requests at a time that preparing is no load test, and how often one is tried that a retry may help. */
const BATCH = 5;
const ATTEMPTS = 6;
const PASSING = [0, 429, 502, 503, 504];

const params = (expected) => ({
  headers: { Authorization: `Bearer ${serviceKey}`, 'Content-Type': 'application/json' },
  responseCallback: http.expectedStatuses(...expected),
  tags: { name: 'setup' },
  timeout: '30s',
});

const request = (method, path, body, expected) => ({
  method,
  url: `${target}/v1${path}`,
  body: body === undefined ? null : JSON.stringify(body),
  params: params(expected),
});

/** Sends all, some at a time, and fails with the first that is not answered with a status that is expected. */
function must(requests, expected) {
  for (let at = 0; at < requests.length; at += BATCH) mustBatch(requests.slice(at, at + BATCH), expected, 1);
}

function mustBatch(requests, expected, attempt) {
  const answers = http.batch(requests).map((response, index) => ({ response, request: requests[index] }));
  const failed = answers.filter(({ response }) => !expected.includes(response.status));
  const fatal = failed.find(({ response }) => attempt === ATTEMPTS || !PASSING.includes(response.status));
  if (fatal) {
    const { request, response } = fatal;
    throw new Error(`${request.method} ${request.url}: ${response.status || response.error} ${response.body ?? ''}`);
  }
  if (failed.length === 0) return;
  sleep(0.25 * 2 ** attempt);
  mustBatch(failed.map(({ request }) => request), expected, attempt + 1);
}

/** Makes conversations of `{id, participants: [userId]}`. Ones that are there already with the same participants do. */
export function createConversations(conversations) {
  const made = [200, 201];
  const first = conversations.map(({ id, participants }) =>
    request('POST', '/conversations', { id, participants: participants.slice(0, AT_ONCE) }, made));
  must(first, made);
  const others = conversations.flatMap(({ id, participants }) => participants.slice(AT_ONCE).map((user) =>
    request('PUT', `/conversations/${encodeURIComponent(id)}/participants/${encodeURIComponent(user)}`, {}, made)));
  must(others, made);
}

/** Deletes conversations with everything in them, and what gateways have stored of those who took part. */
export function removeAll(conversations) {
  const gone = [204, 404];
  const remove = (what, id) => request('DELETE', `/${what}/${encodeURIComponent(id)}`, undefined, gone);
  must(conversations.map(({ id }) => remove('conversations', id)), gone);
  must(conversations.flatMap(({ participants }) => participants.map((id) => remove('users', id))), gone);
}

/** Notifies a user. */
export function notify(user, notification) {
  must([request('POST', `/users/${encodeURIComponent(user)}/notifications`, notification, [201])], [201]);
}
