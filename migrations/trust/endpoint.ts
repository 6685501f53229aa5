import { UsageError } from '../../formats/errors.ts';

/** Address to listen on, or to connect to. */
export interface Endpoint {
  /** Name or address, without brackets. */
  host: string;
  /** TCP port; 0: the system chooses a port to listen on. */
  port: number;
}

const ENDPOINT = /^(?:\[([0-9a-fA-F:.%]+)\]|([^:[\]/\s]*)):(\d{1,5})$/;
const HIGHEST_PORT = 65535;

/** Parses an address to connect to: `HOST:PORT`, `[IPV6]:PORT`, or `:PORT` for this host. @throws UsageError */
export function parseEndpoint(text: string): Endpoint {
  const endpoint = parse(text);
  if (!endpoint || endpoint.port === 0) throw badAddress(text, hintFor(text));
  return endpoint;
}

/**
 * Parses an address to listen on, in the same form, but `:PORT`, or `PORT` alone, means all addresses of this host.
 * Port 0 asks for a free one.
 * @param ofPort for messages: the meaning of `:PORT`, if it is not all addresses
 * @throws UsageError
 */
export function parseListenEndpoint(text: string, ofPort = 'all addresses of this host'): Endpoint {
  const endpoint = parse(/^\d+$/.test(text) ? `:${text}` : text);
  if (!endpoint) throw badAddress(text, `expected :PORT for ${ofPort}, or HOST:PORT, e.g. :7000`);
  return endpoint;
}

/** `host:port`, with brackets around an IPv6 address. */
export function endpointText({ host: given, port }: Endpoint): string {
  // Dual-stack sockets give IPv4 addresses in the form of IPv6.
  const host = given.replace(/^::ffff:(?=[\d.]+$)/, '');
  return host.includes(':') ? `[${host}]:${port}` : `${host === '' ? '*' : host}:${port}`;
}

function parse(text: string): Endpoint | undefined {
  const match = ENDPOINT.exec(text);
  const port = Number(match?.[3]);
  return match && port <= HIGHEST_PORT ? { host: match[1] ?? match[2] ?? '', port } : undefined;
}

/** A hint at the address that was probably meant. */
function hintFor(text: string): string {
  if (/^\d+$/.test(text)) return `expected HOST:PORT, e.g. localhost:${text}`;
  if (/:\d+$/.test(text) && !/:.*:/.test(text)) return `its port is not from 1 to ${HIGHEST_PORT}`;
  if (/^[0-9a-fA-F]*:[0-9a-fA-F:]*:[0-9a-fA-F]*$/.test(text)) return 'expected [IPV6]:PORT, e.g. [::1]:7000';
  if (/^[^:/[\]\s]+$/.test(text)) return `expected HOST:PORT, e.g. ${text}:7000`;
  return 'expected HOST:PORT, e.g. there:7000, or [IPV6]:PORT';
}

function badAddress(text: string, why: string): UsageError {
  return new UsageError('bad-address', `Cannot use address ${text === '' ? '""' : text}: ${why}`);
}
