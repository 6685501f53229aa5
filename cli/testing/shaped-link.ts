import { type ChildProcess, execFileSync, spawn } from 'node:child_process';
import { once } from 'node:events';
import { fileURLToPath } from 'node:url';

/** Effects of a link on packets, each way. */
export interface LinkShape {
  /** Bits per second. */
  rate?: number;
  delayMs?: number;
  /** Per cent of the packets. */
  loss?: number;
  mtu?: number;
}

/** Links by name; `loopback` goes through no link. */
export const LINKS: Readonly<Record<string, LinkShape>> = {
  loopback: {},
  rate: { rate: 200e6 },
  delay: { rate: 400e6, delayMs: 20 },
  loss: { rate: 200e6, loss: 1 },
  all: { rate: 100e6, delayMs: 20, loss: 1 },
  // Large packets, as between hosts of one rack: with small ones the program that passes them on would be too slow.
  fast: { rate: 4e9, mtu: 60_000 },
};

export const SIDES = { source: '10.213.47.1', target: '10.213.47.2' } as const;
export type Side = keyof typeof SIDES;

/** Packets of a link so far, packets that it has lost, and segments that TCP has sent again. */
export interface LinkFigures {
  packets: number;
  lost: number;
  overflowed: number;
  retransmitted: number;
}

const script = fileURLToPath(
  new URL(
    import.meta.url.includes('/dist/') ? '../../../cli/testing/shape-link.py' : './shape-link.py',
    import.meta.url,
  ),
);

/**
 * Two network namespaces with a link between them, whose packets a program passes on (shape-link.py); or, for
 * `loopback`, nothing but this host.
 */
export class ShapedLink {
  readonly name: string;
  readonly #shaper: ChildProcess | undefined;
  #figures = '';

  private constructor(name: string, shaper: ChildProcess | undefined) {
    this.name = name;
    this.#shaper = shaper;
    shaper?.stdout?.on('data', (chunk: Buffer) => {
      this.#figures += chunk.toString();
    });
  }

  /** @throws Error where this host makes no namespaces or TUN devices: it takes root, `ip` and Python 3 */
  static async open(name: string): Promise<ShapedLink> {
    if (name === 'loopback') return new ShapedLink(name, undefined);
    removeNamespaces();
    for (const side of Object.keys(SIDES)) {
      ip('netns', 'add', namespaceOf(side));
      ip('-n', namespaceOf(side), 'link', 'set', 'lo', 'up');
    }
    const { rate = 0, delayMs = 0, loss = 0, mtu = 1500 } = LINKS[name];
    const ends = Object.entries(SIDES).map(([side, address], i) => `savkit${i},${namespaceOf(side)},${address}/24`);
    const shape = ['--rate', rate, '--delay-ms', delayMs, '--loss', loss, '--mtu', mtu].map(String);
    const shaper = spawn('python3', [script, ...ends, ...shape], { stdio: ['ignore', 'pipe', 'inherit'] });
    if (!shaper.stdout) throw new Error('no output');
    const [ready] = await Promise.race([once(shaper.stdout, 'data'), once(shaper, 'close')]);
    if (!String(ready).startsWith('ready'))
      throw new Error('the link does not come up: it takes root, ip and Python 3');
    return new ShapedLink(name, shaper);
  }

  /** Words to put before a command so that it runs on one side. */
  prefixOf(side: Side): string[] {
    return this.#shaper ? ['ip', 'netns', 'exec', namespaceOf(side)] : [];
  }

  addressOf(side: Side): string {
    return this.#shaper ? SIDES[side] : '127.0.0.1';
  }

  /** Takes it down. */
  async close(): Promise<LinkFigures | undefined> {
    if (!this.#shaper) return undefined;
    const retransmitted = retransmittedSegments(namespaceOf('source')) + retransmittedSegments(namespaceOf('target'));
    this.#shaper.kill('SIGTERM');
    await once(this.#shaper, 'close');
    removeNamespaces();
    return { ...(JSON.parse(this.#figures) as Omit<LinkFigures, 'retransmitted'>), retransmitted };
  }
}

function namespaceOf(side: string): string {
  return `savkit-${side}`;
}

function ip(...args: string[]): string {
  return execFileSync('ip', args, { stdio: 'pipe' }).toString();
}

function removeNamespaces(): void {
  for (const side of Object.keys(SIDES)) {
    try {
      ip('netns', 'del', namespaceOf(side));
    } catch {
      // There was no such namespace.
    }
  }
}

/** TCP's own count. Source: RFC 4022, tcpRetransSegs. */
function retransmittedSegments(namespace: string): number {
  const [names, values] = ip('netns', 'exec', namespace, 'cat', '/proc/net/snmp')
    .split('\n')
    .filter((line) => line.startsWith('Tcp:'))
    .map((line) => line.split(' '));
  return Number(values[names.indexOf('RetransSegs')]);
}
