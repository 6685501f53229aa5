import { UsageError } from '../formats/errors.ts';

/** Where something listens, or where to connect to. */
export interface Endpoint {
  host: string;
  port: number;
}

/** Reads `HOST:PORT`, `[IPV6]:PORT`, or `:PORT` for all addresses of this host. Port 0 asks for a free one. @throws UsageError */
export function parseEndpoint(text: string): Endpoint {
  const match = /^(?:\[([0-9a-fA-F:.%]+)\]|([^:[\]]*)):(\d{1,5})$/.exec(text);
  const port = Number(match?.[3]);
  if (!match || port > 65535) throw new UsageError('bad-address', `Cannot use address ${text}: expected HOST:PORT or [IPV6]:PORT`);
  return { host: match[1] ?? match[2] ?? '', port };
}

export function endpointText({ host, port }: Endpoint): string {
  return host.includes(':') ? `[${host}]:${port}` : `${host === '' ? '*' : host}:${port}`;
}
