import { execFile } from 'node:child_process';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { type AddressInfo, connect, createServer, type Server, type Socket } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import {
  type ConnectionOptions,
  connect as connectTls,
  createServer as createTlsServer,
  type TlsOptions,
} from 'node:tls';
import { pathToFileURL } from 'node:url';
import { promisify } from 'node:util';
import { afterEach, describe, expect, it } from 'vitest';
import { relayKey } from '../teleporter/relay-key.ts';
import { makeCertificate, type TestCertificate } from '../testing/certificates.ts';
import { connectToTarget } from './connect-to-target.ts';
import { refusalOf } from './distrust.ts';
import { Gate } from './gate.ts';
import { proveToSource } from './key-proof.ts';
import { keyOfCode, newPairingCode } from './pairing-code.ts';
import { type KeyTrust, sourceFault, type Trust, targetTls } from './trust.ts';

const code = (): KeyTrust => ({ kind: 'code', key: keyOfCode(newPairingCode()) });
const relay = (): KeyTrust => relayKey(Buffer.from(newPairingCode()));
const authority = makeCertificate({ subject: 'public authority', isAuthority: true });
const of = ({ certificate, key }: TestCertificate) => ({ cert: certificate, key });
const honest = makeCertificate({ subject: 'localhost', names: ['localhost', '127.0.0.1'], issuer: authority });

const closers: (() => void)[] = [];
afterEach(() => {
  for (const close of closers.splice(0)) close();
});

/** Listens; counts what a source says to it once TLS, where there is any, is content. */
async function listen(server: Server): Promise<{ port: number; heard: () => number }> {
  let heard = 0;
  const sockets = new Set<Socket>();
  server.on('connection', (socket: Socket) => sockets.add(socket.on('error', () => {})));
  server.on('secureConnection', (socket) =>
    socket.on('error', () => {}).on('data', (bytes: Buffer) => (heard += bytes.length)),
  );
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  closers.push(() => {
    server.close();
    for (const socket of sockets) socket.destroy();
  });
  return { port: (server.address() as AddressInfo).port, heard: () => heard };
}

/** Servers that answer in the target's place, without the key. */
const IMPOSTORS: [string, (trust: KeyTrust) => Server][] = [
  [
    'a certificate that it has signed itself',
    () => createTlsServer(of(makeCertificate({ subject: 'localhost', names: ['localhost'] }))),
  ],
  ['a certificate of an authority', () => createTlsServer({ ...of(honest), minVersion: 'TLSv1.3' })],
  ['a certificate, with another suite', () => createTlsServer({ ...of(honest), ciphers: 'TLS_AES_256_GCM_SHA384' })],
  ['a certificate, with the same suite', () => createTlsServer({ ...of(honest), ciphers: 'TLS_AES_128_GCM_SHA256' })],
  [
    'a certificate, asking for another one',
    () => createTlsServer({ ...of(honest), requestCert: true, rejectUnauthorized: false }),
  ],
  ['a certificate, with TLS 1.2', () => createTlsServer({ ...of(honest), maxVersion: 'TLSv1.2' })],
  [
    'keys of TLS 1.2',
    () =>
      createTlsServer({
        ciphers: 'PSK:@SECLEVEL=0',
        maxVersion: 'TLSv1.2',
        pskCallback: () => new Uint8Array(32),
      } as TlsOptions),
  ],
  ['another key', ({ kind }) => createTlsServer(targetTls({ kind, key: new Uint8Array(32).fill(9) }))],
  ['an empty key', ({ kind }) => createTlsServer(targetTls({ kind, key: new Uint8Array(32) }))],
  ['no TLS, but the same bytes back', () => createServer((socket) => socket.pipe(socket))],
  ['no TLS, but a greeting', () => createServer((socket) => socket.end('VirtualBox-Teleporter-1.0\n'))],
];

describe.each<[string, () => KeyTrust, string]>([
  ['a pairing code', code, 'wrong-code'],
  ["the relays' key", relay, 'wrong-key'],
])('with %s', (_, make, wrong) => {
  it.each(IMPOSTORS)('a target that has %s is not trusted, and told nothing', async (_, serve) => {
    const trust = make();
    const { port, heard } = await listen(serve(trust));
    await expect(connectToTarget({ host: '127.0.0.1', port }, trust)).rejects.toMatchObject({ code: wrong });
    expect(heard()).toBe(0);
  });

  it('a target that has TLS on its side, but no proof of the key, is not trusted, and told nothing', async () => {
    const trust = make();
    const server = createTlsServer(targetTls(trust), (socket) => socket.write(new Uint8Array(32)));
    const { port, heard } = await listen(server);
    await expect(connectToTarget({ host: '127.0.0.1', port }, trust)).rejects.toMatchObject({ code: wrong });
    expect(heard()).toBe(0);
  });

  it('a proof that was seen on another connection proves nothing', async () => {
    const trust = make();
    let seen: Buffer | undefined;
    const server = createTlsServer(targetTls(trust), (socket) => {
      const write = socket.write.bind(socket);
      if (seen) write(seen);
      else {
        socket.write = ((bytes: Buffer) => {
          seen = bytes;
          return write(bytes);
        }) as typeof socket.write;
        proveToSource(socket, trust.key).catch(() => {});
      }
    });
    const { port } = await listen(server);
    const first = await connectToTarget({ host: '127.0.0.1', port }, trust);
    first.destroy();
    expect(seen).toHaveLength(32);
    await expect(connectToTarget({ host: '127.0.0.1', port }, trust)).rejects.toMatchObject({ code: wrong });
  });

  it('a relay between the two that passes bytes on learns nothing of them', async () => {
    const trust = make();
    const gate = await Gate.open({ host: '127.0.0.1', port: 0 }, trust, {
      onConnection: (socket) => socket.on('data', (bytes) => socket.write(bytes)),
    });
    closers.push(() => gate.close());
    let between = Buffer.alloc(0);
    const middle = createServer((near) => {
      const far = connect(gate.endpoint.port, '127.0.0.1');
      for (const [from, to] of [
        [near, far],
        [far, near],
      ])
        from
          .on('error', () => {})
          .on('close', () => to.destroy())
          .on('data', (bytes: Buffer) => {
            between = Buffer.concat([between, bytes]);
            to.write(bytes);
          });
    });
    const { port } = await listen(middle);
    const socket = await connectToTarget({ host: '127.0.0.1', port }, trust);
    socket.write('the memory of a guest');
    const [back] = await new Promise<Buffer[]>((resolve) => socket.once('data', (...bytes) => resolve(bytes)));
    expect(back.toString()).toBe('the memory of a guest');
    expect(between.includes('the memory of a guest')).toBe(false);
    socket.destroy();
  });
});

it.each(['1', '0'])(
  'A certificate of an authority that the whole system trusts opens nothing, checks of the system on or off (%s)',
  async (check) => {
    const folder = mkdtempSync(join(tmpdir(), 'savkit-trust-'));
    try {
      const { port, heard } = await listen(createTlsServer(of(honest)));
      const file = join(folder, 'authority.pem');
      writeFileSync(file, authority.certificate);
      const module = pathToFileURL(join(import.meta.dirname, '../../dist/migrations/trust/connect-to-target.js')).href;
      // A first connection shows that the system trusts it: else a refusal would show nothing.
      const script = `
      import { connect } from 'node:tls';
      const { connectToTarget } = await import(${JSON.stringify(module)});
      await new Promise((resolve, reject) => connect({ host: 'localhost', port: ${port} }, function () { resolve(this.destroy()); }).on('error', reject));
      for (const kind of ['code', 'relay-key'])
        await connectToTarget({ host: 'localhost', port: ${port} }, { kind, key: new Uint8Array(32).fill(1) }).then(() => console.log('in'), ({ code }) => console.log(code));
      const own = ${JSON.stringify({ certificate: honest.certificate, key: honest.key })};
      const other = ${JSON.stringify(makeCertificate({ subject: 'other', isAuthority: true }).certificate)};
      await connectToTarget({ host: 'localhost', port: ${port} }, { kind: 'certificates', ...own, authority: other }).then(() => console.log('in'), ({ code }) => console.log(code));
      process.exit();`;
      const env = {
        ...process.env,
        NODE_EXTRA_CA_CERTS: file,
        NODE_TLS_REJECT_UNAUTHORIZED: check,
        NODE_NO_WARNINGS: '1',
      };
      const { stdout } = await promisify(execFile)(process.execPath, ['--input-type=module', '-e', script], { env });
      expect(stdout.trim().split('\n')).toEqual(['wrong-code', 'wrong-key', 'wrong-certificate']);
      expect(heard()).toBe(0);
    } finally {
      rmSync(folder, { recursive: true, force: true });
    }
  },
);

describe('with certificates', () => {
  const hosts = makeCertificate({ subject: 'hosts', isAuthority: true });
  const source = makeCertificate({ subject: 'source', names: ['source'], issuer: hosts });
  const trustIn = (peerName?: string): Trust => ({
    ...{ kind: 'certificates', certificate: source.certificate, key: source.key, authority: hosts.certificate },
    peerName,
  });
  const target = (options: Partial<Parameters<typeof makeCertificate>[0]>) =>
    makeCertificate({ subject: 'target', names: ['localhost', '127.0.0.1'], issuer: hosts, ...options });
  const attempt = async (certificate: TestCertificate, peerName?: string, more: TlsOptions = {}) => {
    const { port, heard } = await listen(createTlsServer({ ...of(certificate), ...more }));
    const outcome = await connectToTarget({ host: '127.0.0.1', port }, trustIn(peerName)).then(
      (socket) => socket.destroy() && 'trusted',
      ({ code }) => code as string,
    );
    expect(heard()).toBe(0);
    return outcome;
  };

  it.each<[string, string, string | undefined, Partial<Parameters<typeof makeCertificate>[0]>]>([
    ['its address', 'trusted', undefined, {}],
    ['its name', 'trusted', 'localhost', {}],
    ['its name in other letters', 'trusted', 'LOCALHOST', {}],
    ['a wildcard for one label', 'trusted', 'a.example.org', { names: ['*.example.org'] }],
    ['another name', 'wrong-name', 'other.example.org', {}],
    ['a wildcard for more than one label', 'wrong-name', 'a.b.example.org', { names: ['*.example.org'] }],
    ['a wildcard for everything', 'wrong-name', 'localhost', { names: ['*'] }],
    ['a wildcard for a part of a label', 'wrong-name', 'localhost.example.org', { names: ['local*.example.org'] }],
    ['its name before a NUL', 'wrong-name', 'localhost', { names: ['localhost\0.example.org'] }],
    ['its name in front of another one', 'wrong-name', 'localhost', { names: ['localhost.example.org'] }],
    ['its name as a common name only', 'wrong-name', 'localhost', { subject: 'localhost', names: [] }],
    [
      'its name as a common name beside another one',
      'wrong-name',
      'localhost',
      { subject: 'localhost', names: ['other.example.org'] },
    ],
    ['its name as a list in one', 'wrong-name', 'localhost', { names: ['other.example.org, DNS:localhost'] }],
    ['its address as a name', 'wrong-name', undefined, { names: ['127.0.0.1'], addressesAsNames: true }],
    ['its address as a common name', 'wrong-name', undefined, { subject: '127.0.0.1', names: ['localhost'] }],
    ['another address', 'wrong-name', undefined, { names: ['127.0.0.2'] }],
    ['a time that is over', 'wrong-certificate', undefined, { from: -10, until: -1 }],
    ['a time that is to come', 'wrong-certificate', undefined, { from: 1 }],
    ['a use that is not a server’s', 'wrong-certificate', undefined, { usage: 'client' }],
    ['the signature of another authority', 'wrong-certificate', undefined, { issuer: authority }],
    [
      'the signature of an authority of the same name',
      'wrong-certificate',
      undefined,
      { issuer: makeCertificate({ subject: 'hosts', isAuthority: true }) },
    ],
    ['the signature of no authority', 'wrong-certificate', undefined, { issuer: source }],
  ])('a target whose certificate has %s is %s', async (_, outcome, peerName, options) => {
    expect(await attempt(target(options), peerName)).toBe(outcome);
  });

  it('a target with TLS 1.2 is not trusted', async () => {
    expect(await attempt(target({}), undefined, { maxVersion: 'TLSv1.2' })).toBe('no-tls');
  });

  it.each<[string, string, Partial<Parameters<typeof makeCertificate>[0]> | undefined]>([
    ['not been shown', 'no certificate', undefined],
    ['a time that is over', 'CERT_HAS_EXPIRED', { from: -10, until: -1 }],
    ['a time that is to come', 'CERT_NOT_YET_VALID', { from: 1 }],
    ['a use that is not a client’s', 'INVALID_PURPOSE', { usage: 'server' }],
    ['the signature of another authority', 'UNABLE_TO', { issuer: authority }],
  ])('a source whose certificate has %s does not get in, with a session of before neither', async (_, why, options) => {
    const here = target({});
    const trust: Trust = {
      kind: 'certificates',
      certificate: here.certificate,
      key: here.key,
      authority: hosts.certificate,
    };
    const stranger = {
      ca: hosts.certificate,
      ...(options && of(makeCertificate({ subject: 'source', names: ['source'], issuer: hosts, ...options }))),
    };
    const refused: string[] = [];
    const onRefused = (_: string, words: string) => refused.push(words);
    const gate = await Gate.open({ host: '127.0.0.1', port: 0 }, trust, {
      onConnection: () => refused.push('it got in'),
      onRefused,
    });
    closers.push(() => gate.close());
    await talk(gate.endpoint.port, stranger);
    await expect.poll(() => refused).toEqual([expect.stringContaining(why)]);
    // A resumed session shows no certificate, or one that TLS does not check again: it must not be trusted for that.
    const faults: unknown[] = [];
    const { port } = await listen(
      createTlsServer(targetTls(trust), (socket) => {
        const fault = sourceFault(socket);
        faults.push(fault && refusalOf(trust, fault));
        socket.end('x');
      }),
    );
    const first = await talk(port, stranger);
    const second = await talk(port, { ...stranger, session: first.session });
    expect([first.resumed, second.resumed]).toEqual([false, true]);
    expect(faults).toEqual([expect.stringContaining(why), expect.stringContaining(why)]);
  });
});

/** A connection that says nothing, until the other side ends it. */
async function talk(
  port: number,
  options: ConnectionOptions,
): Promise<{ session: Buffer | undefined; resumed: boolean }> {
  let session: Buffer | undefined;
  const socket = connectTls({ ...options, host: '127.0.0.1', port, minVersion: 'TLSv1.3' });
  let resumed = false;
  await new Promise((resolve) => {
    socket.on('session', (ticket) => (session = ticket)).on('error', () => {});
    socket.on('secureConnect', () => {
      resumed = socket.isSessionReused();
    });
    socket.on('close', resolve).resume();
  });
  return { session, resumed };
}
