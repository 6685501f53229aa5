import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdirSync, mkdtempSync, readdirSync, rmSync, writeFileSync } from 'node:fs';
import { connect, createServer, type Server, type Socket } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, afterEach, describe, expect, it, vi } from 'vitest';
import { EnvironmentError, UsageError } from '../../formats/errors.ts';
import { MIB } from '../../formats/sizes.ts';
import { emptyMachine } from '../../src/running/empty-machine.ts';
import { RunningMachine } from '../../src/running/running-machine.ts';
import { runHere } from '../testing/run-here.ts';
import { MAIN, runSavkit } from '../testing/run-savkit.ts';
import { askMachine } from './control-client.ts';
import { MAX_CLIENTS, openControlSocket } from './control-server.ts';
import { linesOf } from './lines.ts';
import { CONTROL_COMMANDS } from './requests.ts';
import { isControlSocket, socketAddress } from './socket-path.ts';
import { checkSocketPath } from './stale-socket.ts';

const folder = mkdtempSync(join(tmpdir(), 'savkit-hostile-'));
afterAll(() => rmSync(folder, { recursive: true, force: true }));

const never = new AbortController().signal;
const closers: (() => void)[] = [];
afterEach(() => {
  for (const close of closers.splice(0)) close();
});

let count = 0;
const newPath = () => join(folder, `${count++}.sock`);

/** A socket at which somebody else answers. */
async function impostor(answer: (socket: Socket) => void): Promise<string> {
  const path = newPath();
  const sockets = new Set<Socket>();
  const server: Server = createServer((socket) => {
    sockets.add(socket.on('error', () => {}));
    answer(socket);
  });
  closers.push(() => {
    server.close();
    for (const socket of sockets) socket.destroy();
  });
  await new Promise<void>((resolve) => server.listen(path, resolve));
  return path;
}

async function failureOf(
  path: string,
  command: (typeof CONTROL_COMMANDS)[number] = 'status',
  silenceMs = 5000,
): Promise<EnvironmentError> {
  const error = await askMachine(
    path,
    { command, ...(command === 'migrate' ? { request: undefined } : {}) },
    () => {},
    never,
    silenceMs,
  ).catch((error) => error);
  expect(error).toBeInstanceOf(EnvironmentError);
  expect(error.message).toMatch(/^Cannot [^\n]+$/);
  return error;
}

describe('what answers at a control socket', () => {
  it('and never says anything counts as hung', async () => {
    expect(await failureOf(await impostor(() => {}), 'status', 100)).toMatchObject({ code: 'no-answer' });
  });

  it('and says one line without end counts as hung, too, and takes no more memory than a reply may', async () => {
    const endless = await impostor((socket) => {
      const more = () => socket.write(Buffer.alloc(65536, 0x20)) && setImmediate(more);
      socket.on('drain', more);
      more();
    });
    const before = process.memoryUsage().rss;
    expect(['no-answer', 'bad-reply']).toContain((await failureOf(endless, 'status', 500)).code);
    expect(process.memoryUsage().rss - before).toBeLessThan(512 * MIB);
  });

  it.each([
    ['nothing', (socket: Socket) => socket.end()],
    ['a part of a line', (socket: Socket) => socket.end('{"id":1,"ok":tr')],
    ['signs of life', (socket: Socket) => socket.end('{"id":1,"event":"beat"}\n')],
    ['nothing, and cuts the connection', (socket: Socket) => socket.destroy()],
  ])('and ends after %s has ended too early', async (_, answer) => {
    expect(await failureOf(await impostor(answer))).toMatchObject({ code: 'truncated' });
  });

  it.each([
    'HTTP/1.1 400 Bad Request\r\n',
    'null\n',
    '{}\n',
    '{"id":1,"ok":true}\n',
    '{"id":1,"ok":true,"result":[]}\n',
    '{"id":1,"ok":1,"result":{}}\n',
    '{"id":1,"ok":false}\n',
    '{"id":1,"ok":false,"error":{"code":1}}\n',
    '{"id":1,"event":7}\n',
    '{"id":1,"ok":true,"result":{"name":"vm","state":"running","__proto__":{}}}\n',
  ])('is no machine when it says %j', async (text) => {
    const path = await impostor((socket) => socket.write(text));
    for (const command of CONTROL_COMMANDS)
      expect(await failureOf(path, command), command).toMatchObject({ code: 'bad-reply' });
  });

  it.each(['progress', 'looked-back', 'link-lost', 'connected'])(
    'is no machine when it tells of %s without saying what',
    async (event) => {
      expect(
        await failureOf(await impostor((socket) => socket.write(`{"id":1,"event":"${event}"}\n`)), 'migrate'),
      ).toMatchObject({ code: 'bad-reply' });
    },
  );

  it('and gives nothing but signs of life when asked for its status counts as hung, too', async () => {
    const path = await impostor((socket) => {
      const timer = setInterval(() => socket.write('{"id":1,"event":"beat"}\n'), 20);
      socket.on('close', () => clearInterval(timer));
    });
    expect(await failureOf(path, 'status', 200)).toMatchObject({ code: 'no-answer' });
  });

  it('is waited for as long as it gives signs of life', async () => {
    const path = await impostor((socket) => {
      const timer = setInterval(() => socket.write('{"id":1,"event":"beat"}\n'), 50);
      setTimeout(() => socket.write('{"id":1,"ok":true,"result":{"path":"vm.sav","downtimeMs":1}}\n'), 1500);
      socket.on('close', () => clearInterval(timer));
    });
    const events: string[] = [];
    expect(
      await askMachine(path, { command: 'save', path: 'vm.sav' }, ({ event }) => events.push(event), never, 1000),
    ).toEqual({ path: 'vm.sav', downtimeMs: 1 });
    expect(events).toEqual([]);
  });
});

describe('the process of a machine', () => {
  it('gives signs of life while it carries something out', async () => {
    const path = newPath();
    const running = RunningMachine.of(await emptyMachine(4 * MIB), { kind: 'idle', rate: 1 });
    running.resume();
    const server = await openControlSocket(path, { name: 'vm', running });
    closers.push(() => void server.close().then(() => running.release()));
    const socket = connect(path);
    // Nobody listens there: the machine tries to connect again and again.
    const request = {
      to: '127.0.0.1:9',
      trust: { kind: 'insecure' },
      records: folder,
      limits: {},
      streams: 1,
      compression: 'never',
      proof: 'auto',
      resumeWithinMs: 1,
    };
    socket.write(
      `${JSON.stringify({ id: 5, command: 'foretell', request: { limits: {}, rate: 1e6, compression: 'never' } })}\n${JSON.stringify({ id: 6, command: 'migrate', request })}\n`,
    );
    const kinds: unknown[] = [];
    for await (const text of linesOf(socket, MIB)) {
      const { id, event } = JSON.parse(text);
      kinds.push(event ?? id);
      if (id === 6 && event === undefined) break;
    }
    socket.destroy();
    expect(kinds).toContain('beat');
  });

  it('that is stopped counts as hung, and ends the wait of its clients when it is killed', async () => {
    const path = newPath();
    const machine = spawn(process.execPath, [MAIN, 'run', '--ram', '4M', '--workload', 'idle', '--socket', path], {
      stdio: 'ignore',
    });
    closers.push(() => machine.kill('SIGKILL'));
    await expect.poll(() => isControlSocket(path)).toBe(true);
    await askMachine(path, { command: 'status' }, () => {}, never);
    machine.kill('SIGSTOP');
    expect(await failureOf(path, 'status', 300)).toMatchObject({ code: 'no-answer' });
    await expect(checkSocketPath(path)).rejects.toMatchObject({ code: 'EADDRINUSE' });
    const waiting = failureOf(path, 'status', 60_000);
    await new Promise((resolve) => setTimeout(resolve, 100));
    machine.kill('SIGKILL');
    expect(await waiting).toMatchObject({ code: 'truncated' });
    await once(machine, 'exit');
    await checkSocketPath(path);
    const { exitCode, stderr } = await runSavkit(['control', path, 'status']);
    expect([exitCode, stderr.trim().split('\n').length]).toEqual([4, 1]);
  });
});

describe('a control socket', () => {
  const idleMachine = async (path: string) => {
    const running = RunningMachine.of(await emptyMachine(4 * MIB), { kind: 'idle', rate: 1 });
    const server = await openControlSocket(path, { name: 'vm', running });
    closers.push(() => void server.close());
  };

  it('sends idle clients away when others come, those first that have been idle longest', async () => {
    const path = newPath();
    await idleMachine(path);
    const idle: { socket: Socket; heard: string; ended: boolean }[] = [];
    for (let i = 0; i < MAX_CLIENTS; i++) {
      const client = { socket: connect(path), heard: '', ended: false };
      client.socket.on('data', (text) => (client.heard += text)).on('end', () => (client.ended = true));
      idle.push(client);
      await once(client.socket, 'connect');
    }
    closers.push(() => {
      for (const { socket } of idle) socket.destroy();
    });
    for (let i = 0; i < 3; i++)
      expect(await askMachine(path, { command: 'status' }, () => {}, never)).toMatchObject({ name: 'vm' });
    await expect.poll(() => idle[0].ended).toBe(true);
    expect(JSON.parse(idle[0].heard)).toMatchObject({
      id: null,
      ok: false,
      error: { class: 'EnvironmentError', code: 'busy' },
    });
    expect(idle[MAX_CLIENTS - 1].ended).toBe(false);
  });

  it('does not gather answers for a client that does not read them', async () => {
    const path = newPath();
    await idleMachine(path);
    const socket = connect(path).pause();
    closers.push(() => socket.destroy());
    const requests = Buffer.from('{"id":1,"command":"status"}\n'.repeat(1000));
    let taken = 0;
    for (let i = 0; i < 200; i++) socket.write(requests, () => taken++);
    await new Promise((resolve) => setTimeout(resolve, 500));
    // The server has stopped reading.
    expect(taken).toBeLessThan(200);
    expect(await askMachine(path, { command: 'status' }, () => {}, never)).toMatchObject({ name: 'vm' });
  });

  it('has a path that sockets can have', () => {
    const long = `/tmp/${'p'.repeat(102)}`;
    expect(socketAddress(long, 'linux')).toBe(long);
    expect(socketAddress('8080', 'linux')).toBe('./8080');
    expect(() => socketAddress(`${long}p`, 'linux')).toThrow('it has 108 bytes, and sockets of this system take 107');
    expect(() => socketAddress(`/tmp/${'é'.repeat(52)}`, 'linux')).toThrow('109 bytes');
    expect(() => socketAddress(long, 'darwin')).toThrow('take 103');
    for (const path of ['', 'a\0b']) expect(() => socketAddress(path)).toThrow(UsageError);
  });

  it('is a named pipe on Windows, of a name that its full path makes', () => {
    const address = (path: string) => socketAddress(path, 'win32');
    expect(address('C:\\vms\\a.sock')).toBe('\\\\.\\pipe\\savkit-c-vms-a.sock');
    expect(address('c:/vms/A.sock')).toBe(address('C:\\vms\\a.sock'));
    expect(address('C:\\vms\\b\\..\\a.sock')).toBe(address('C:\\vms\\a.sock'));
    expect(address('\\\\.\\pipe\\vm')).toBe('\\\\.\\pipe\\vm');
    expect(address('//./pipe/vm')).toBe('\\\\.\\pipe\\vm');
    const long = address(`C:\\${'p'.repeat(400)}`);
    expect(long).toMatch(/^\\\\\.\\pipe\\savkit-[0-9a-f]{64}$/);
    expect(long).not.toBe(address(`C:\\${'p'.repeat(401)}`));
  });

  it('that cannot be opened is told before any work, by every command, and leaves nothing behind', async () => {
    const place = join(folder, 'place');
    mkdirSync(place);
    const long = join(place, 'p'.repeat(120));
    const file = join(place, 'file');
    writeFileSync(file, 'kept');
    vi.stubEnv('SAVKIT_PAIRING_CODE', '');
    const run = ['run', '--ram', '4M', '--workload', 'idle', '--for', '1', '--socket'];
    const receive = ['receive', '--listen', '127.0.0.1:0', '--records', folder, '--control'];
    for (const [words, status] of [
      [[...run, long], 2],
      [[...receive, long], 2],
      [['control', long, 'status'], 2],
      [['live-save', long, join(place, 'o.sav')], 2],
      [[...run, file], 4],
      [[...receive, file], 4],
      [[...run, join(place, 'nowhere', 's')], 4],
      [[...receive, join(place, 'nowhere', 's')], 4],
    ] as const) {
      const ended = await runHere(...words);
      expect([ended.exitCode, ended.stderr.trim().split('\n').length], `${words} ${ended.stderr}`).toEqual([status, 1]);
    }
    expect(readdirSync(place)).toEqual(['file']);
  });
});
