// k6's WebSocket. From the version in which `k6/websockets` is there, that name is the one to write here.
export { WebSocket } from 'k6/experimental/websockets';
