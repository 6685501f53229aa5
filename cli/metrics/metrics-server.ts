import { createServer, type Server } from 'node:http';
import type { AddressInfo, Socket } from 'node:net';
import type { Argv } from 'yargs';
import { startListening } from '../../formats/world/start-listening.ts';
import { endpointText, parseListenEndpoint } from '../../migrations/trust/endpoint.ts';
import { networkError } from '../../migrations/wire/network-error.ts';
import type { OptionsOf } from '../parsing/options-of.ts';
import { line } from '../terminal/terminal-text.ts';
import type { LiveReport } from '../text/live-report.ts';
import { expositionOf, type Values } from './metrics.ts';

export function withMetrics<T>(argv: Argv<T>) {
  return argv.option('metrics-listen', {
    type: 'string',
    requiresArg: true,
    describe: 'Address to answer Prometheus at (HTTP, path /metrics): HOST:PORT, or :PORT for this host only',
  });
}

/** Options of commands that run for long. */
export type MetricsOptions = OptionsOf<typeof withMetrics>;

/** Maximum number of connections; more than a Prometheus and a person with a browser need. */
const MOST_CONNECTIONS = 16;
const REQUEST_MS = 5000;
const LOOK_MS = 1000;

/**
 * Serves figures to Prometheus, and nothing else. There is no authentication: the server listens on loopback, unless
 * another address is named.
 * @param collect gives the figures; called for each request
 * @returns a function that ends the server
 * @throws EnvironmentError when the address can't be used, UsageError
 */
export async function serveMetrics(
  { metricsListen }: MetricsOptions,
  report: LiveReport,
  collect: () => Values,
): Promise<() => void> {
  if (metricsListen === undefined) return () => {};
  const { host, port } = parseListenEndpoint(metricsListen, 'this host only');
  const server = createServer(
    { requestTimeout: REQUEST_MS, headersTimeout: REQUEST_MS, connectionsCheckingInterval: LOOK_MS },
    ({ method, url }, response) => {
      if (url !== '/metrics' || (method !== 'GET' && method !== 'HEAD')) return void response.writeHead(404).end();
      response.setHeader('content-type', 'text/plain; version=0.0.4; charset=utf-8');
      response.end(method === 'HEAD' ? undefined : expositionOf(collect()));
    },
  );
  keepFew(server);
  server.unref();
  const where = { host: host === '' ? '127.0.0.1' : host, port };
  await startListening(server, where).catch((error) => {
    throw networkError(error, `listen on ${endpointText(where)}`);
  });
  const at = `http://${endpointText({ ...where, port: (server.address() as AddressInfo).port })}/metrics`;
  report.note('metrics', line`Figures for Prometheus: ${at}`, { at });
  return () => {
    server.close();
    server.closeAllConnections();
  };
}

/** Ends the oldest connection where a new one finds no room; else slow clients would keep out all others. */
function keepFew(server: Server): void {
  const open = new Set<Socket>();
  server.on('connection', (socket) => {
    open.add(socket);
    socket.once('close', () => open.delete(socket));
    const [oldest] = open;
    if (open.size > MOST_CONNECTIONS) oldest.destroy();
  });
}
