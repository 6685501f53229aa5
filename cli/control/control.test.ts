import { spawnSync } from 'node:child_process';
import { existsSync, mkdtempSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { connect } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Readable } from 'node:stream';
import fc from 'fast-check';
import { afterAll, describe, expect, it } from 'vitest';
import { InterruptedError, SavkitError, UnsupportedError } from '../../formats/errors.ts';
import { openFile } from '../../formats/files/source.ts';
import { MIB } from '../../formats/sizes.ts';
import { loadState } from '../../src/machine/load.ts';
import { emptyMachine } from '../../src/running/empty-machine.ts';
import { RunningMachine } from '../../src/running/running-machine.ts';
import { askMachine } from './control-client.ts';
import { openControlSocket } from './control-server.ts';
import { keepRunning } from './keep-running.ts';
import { linesOf } from './lines.ts';
import { errorFromWire, errorToWire, LINE_LIMIT, parseReply, parseRequest } from './protocol.ts';
import { CONTROL_COMMANDS, type RequestOf } from './requests.ts';

const folder = mkdtempSync(join(tmpdir(), 'savkit-control-'));
afterAll(() => rmSync(folder, { recursive: true, force: true }));

const never = new AbortController().signal;
const ignore = () => {};

let sockets = 0;
async function plainMachine(): Promise<RunningMachine> {
  return RunningMachine.of(await emptyMachine(4 * MIB), { kind: 'random', rate: 3000 });
}

/** A machine that is kept in this process, and functions that ask it. */
async function keptMachine(make = plainMachine) {
  const socket = join(folder, `${sockets++}.sock`);
  const running = await make();
  running.resume();
  const stop = new AbortController();
  const kept = await new Promise<{ ended: Promise<unknown> }>((resolve) => {
    const ended = keepRunning(
      { name: 'vm', running },
      { socket, signal: stop.signal, onReady: () => resolve({ ended }) },
    );
  });
  return { socket, running, stop, ...kept };
}

/** Sends bytes as they are; gives the lines that come back until the other side closes. */
async function talk(socket: string, text: string): Promise<Record<string, unknown>[]> {
  const connection = connect(socket);
  connection.end(text);
  const lines: Record<string, unknown>[] = [];
  for await (const line of linesOf(connection, MIB)) lines.push(JSON.parse(line));
  return lines;
}

describe('control socket', () => {
  it('is open to its owner only, and gone with the machine', async () => {
    const { socket, stop, ended } = await keptMachine();
    expect(statSync(socket).mode & 0o777).toBe(0o600);
    stop.abort();
    expect(await ended).toBeUndefined();
    expect(() => statSync(socket)).toThrow('ENOENT');
  });

  it('tells how the machine is, pauses, resumes, throttles, checks and stops it', async () => {
    const { socket, running, ended } = await keptMachine();
    const ask = (command: 'status' | 'pause' | 'reset' | 'resume' | 'check' | 'stop' | 'throttle', more = {}) =>
      askMachine(socket, { command, ...more }, ignore, never);
    expect(await ask('status')).toMatchObject({
      name: 'vm',
      state: 'running',
      ramSize: 4 * MIB,
      workload: { kind: 'random', rate: 3000 },
    });
    expect(await ask('pause')).toMatchObject({ state: 'suspended' });
    expect(await ask('reset')).toMatchObject({ state: 'suspended', steps: 0 });
    await expect(ask('pause')).rejects.toMatchObject({
      code: 'bad-machine-state',
      message: 'Cannot suspend a machine: it is suspended',
    });
    expect(await ask('throttle', { share: 0.5 })).toMatchObject({ throttle: 0.5 });
    expect(await ask('resume')).toMatchObject({ state: 'running' });
    running.runSteps(10);
    expect(await ask('check')).toMatchObject({ faults: [] });
    expect(await ask('stop')).toMatchObject({ state: 'off' });
    expect(await ended).toBeUndefined();
    await expect(ask('status')).rejects.toMatchObject({ code: 'no-machine' });
  });

  it('saves the machine live and plain, to files that load and go on', async () => {
    const { socket, stop, running } = await keptMachine();
    for (const command of ['live-save', 'save'] as const) {
      const path = join(folder, `${command}.sav`);
      const events: string[] = [];
      const result = await askMachine(socket, { command, path }, ({ event }) => events.push(event), never);
      expect(result).toMatchObject({ path });
      if (command === 'live-save') expect(events).toEqual(expect.arrayContaining(['pass', 'progress']));
      expect(statSync(path).mode & 0o777).toBe(0o600);
      const source = await openFile(path);
      const again = RunningMachine.of(await loadState(source));
      await source.close();
      again.runSteps(500);
      expect(again.selfCheck().faults).toEqual([]);
      await expect(askMachine(socket, { command, path }, ignore, never)).rejects.toMatchObject({ code: 'EEXIST' });
      expect(running.state).toBe('running');
    }
    stop.abort();
  });

  it('answers other clients while it carries a request out, and cancels the request of a client that goes away', async () => {
    const { socket, stop, running } = await keptMachine();
    running.throttle = 0;
    const path = join(folder, 'cancelled.sav');
    const abort = new AbortController();
    const states: unknown[] = [];
    const save = askMachine(
      socket,
      { command: 'live-save', path },
      (event) => {
        if (event.event !== 'pass' || event.pass !== 0) return;
        void askMachine(socket, { command: 'status' }, ignore, never).then(({ state }) => states.push(state));
        abort.abort();
      },
      abort.signal,
    );
    await expect(save).rejects.toBeInstanceOf(InterruptedError);
    while (running.state !== 'running') await new Promise((resolve) => setTimeout(resolve, 5));
    expect(() => statSync(path)).toThrow('ENOENT');
    expect(running.memory.pages.counts.monitored).toBe(0);
    stop.abort();
  });

  it('gives the path of a save that was cancelled too late, and leaves no file of one that was cancelled in time', async () => {
    const { socket, stop, running } = await keptMachine();
    for (const percent of [0, 99, 100]) {
      const path = join(folder, `late-${percent}.sav`);
      const abort = new AbortController();
      const onEvent = (event: object) => {
        if ('percent' in event && (event.percent as number) >= percent) abort.abort();
      };
      const end = await askMachine(socket, { command: 'live-save', path }, onEvent, abort.signal).catch(
        (error) => error,
      );
      expect(end).toMatchObject(existsSync(path) ? { path } : { code: 'interrupted' });
      if (percent === 100) expect(end).toMatchObject({ path });
      expect(running.state).toBe('running');
    }
    stop.abort();
  });

  it('answers several requests of one connection in their order, also after its client has ended its side', async () => {
    const { socket, stop } = await keptMachine();
    const replies = await talk(
      socket,
      '{"id":7,"command":"status"}\n{"id":8,"command":"pause"}\n{"id":9,"command":"resume"}\n',
    );
    expect(replies).toMatchObject([
      { id: 7, ok: true },
      { id: 8, ok: true, result: { state: 'suspended' } },
      { id: 9, ok: true, result: { state: 'running' } },
    ]);
    stop.abort();
  });

  it.each([
    ['hello\n', 'not JSON'],
    ['[]\n', 'it is not an object'],
    ['{"command":"status"}\n', 'id is not a whole number'],
    ['{"id":1,"command":"explode"}\n', 'command is not one of status, stats'],
    ['{"id":1,"command":"__proto__"}\n', 'command is not one of'],
    ['{"id":1,"command":"status","x":1}\n', 'x is not a field that is known here'],
    ['{"id":1,"command":"save"}\n', 'path is not text'],
    ['{"id":1,"command":"save","path":""}\n', 'path is not a path'],
    ['{"id":1,"command":"live-save","path":"a","maxDowntimeMs":-1}\n', 'maxDowntimeMs is not a number from 0'],
    ['{"id":1,"command":"migrate","request":[]}\n', 'request is not an object'],
    [`${'x'.repeat(LINE_LIMIT + 1)}`, 'it has more than'],
  ])('refuses requests that are none: %#', async (text, why) => {
    const { socket, stop, running } = await keptMachine();
    const replies = await talk(socket, text);
    expect(replies).toMatchObject([{ ok: false, error: { message: expect.stringContaining(why) } }]);
    expect(running.state).toBe('running');
    stop.abort();
  });

  it('replaces what a killed machine has left behind, but no other machine and no file', async () => {
    const { socket, stop, running } = await keptMachine();
    await expect(openControlSocket(socket, { name: 'b', running })).rejects.toMatchObject({ code: 'EADDRINUSE' });
    const file = join(folder, 'file');
    writeFileSync(file, 'kept');
    await expect(openControlSocket(file, { name: 'b', running })).rejects.toMatchObject({ code: 'EEXIST' });
    stop.abort();
  });

  it('says where there is no machine', async () => {
    const file = join(folder, 'state.sav');
    writeFileSync(file, '');
    const left = join(folder, 'left.sock');
    const listening = `require('net').createServer().listen(${JSON.stringify(left)}, () => process.kill(process.pid, 'SIGKILL'))`;
    spawnSync(process.execPath, ['-e', listening]);
    for (const [path, why] of [
      [join(folder, 'none.sock'), 'there is no control socket'],
      [file, 'state.sav is no control socket'],
      [folder, 'is no control socket'],
      [left, 'nobody answers'],
    ]) {
      const asked = askMachine(path, { command: 'status' }, ignore, never);
      await expect(asked, path).rejects.toMatchObject({ code: 'no-machine', message: expect.stringContaining(why) });
    }
  });
});

describe('protocol', () => {
  it('takes any line as a request or refuses it', () => {
    fc.assert(
      fc.property(
        fc.oneof(
          fc.string(),
          fc.json(),
          fc
            .record({ id: fc.anything(), command: fc.constantFrom(...CONTROL_COMMANDS), path: fc.anything() })
            .map((value) => JSON.stringify(value)),
        ),
        (line) => {
          try {
            expect(CONTROL_COMMANDS).toContain(parseRequest(line).command);
          } catch (error) {
            expect(error).toMatchObject({ code: 'bad-request' });
          }
        },
      ),
    );
  });

  it.each([
    ['{"id":1,"command":"save","path":"a\\u0000"}', 'path is not a path'],
    ['{"id":1,"command":"throttle","share":-1}', 'share is not a number from 0 to 0.99'],
    ['{"id":1,"command":"throttle","share":1}', 'share is not a number from 0 to 0.99'],
    ['{"id":1,"command":"limits","request":{"speed":1}}', 'request.speed is not a field that is known here'],
    [
      '{"id":1,"command":"migrate","request":{"to":"a:1","trust":{"kind":"code"}}}',
      'request.trust.key is not 32 bytes',
    ],
    ['{"id":1,"command":"teleport","request":{"to":"a:1","password":1}}', 'request.password is not text'],
  ])('says what is wrong with %s', (line, why) => {
    expect(() => parseRequest(line)).toThrow(why);
  });

  it('takes any line as a reply or refuses it', () => {
    fc.assert(
      fc.property(fc.oneof(fc.string(), fc.json()), (line) => {
        try {
          parseReply(line);
        } catch (error) {
          expect(error).toMatchObject({ code: 'bad-reply' });
        }
      }),
    );
  });

  it('hands errors on with their class, and errors of other programs as those of savkit', () => {
    const error = errorFromWire(
      errorToWire(new UnsupportedError('grew-too-big', 'Cannot go on', {}, 'VERR_SSM_STATE_GREW_TOO_BIG')),
    );
    expect(error).toBeInstanceOf(UnsupportedError);
    expect(error).toMatchObject({
      code: 'grew-too-big',
      message: 'Cannot go on',
      vboxCode: 'VERR_SSM_STATE_GREW_TOO_BIG',
    });
    expect(errorFromWire(errorToWire(new InterruptedError()))).toBeInstanceOf(InterruptedError);
    expect(errorFromWire(errorToWire(new TypeError('oops')))).toBeInstanceOf(SavkitError);
  });

  it('cuts lines wherever chunks end', async () => {
    await fc.assert(
      fc.asyncProperty(
        fc.array(fc.string({ unit: fc.constantFrom('a', 'é', '\n') }), { maxLength: 8 }),
        async (texts) => {
          const lines: string[] = [];
          for await (const line of linesOf(Readable.from(texts.map((text) => Buffer.from(text))), 1000))
            lines.push(line);
          expect(lines).toEqual(texts.join('').split('\n').slice(0, -1));
        },
      ),
    );
  });
});

describe('a machine with everything', () => {
  it('is reset, asked by the debugger, and tells of its host', async () => {
    const { socket, running, stop, ended } = await keptMachine(async () => {
      const machine = await emptyMachine(4 * MIB, { cpus: 2 });
      machine.usePaging({ host: 'PAE+NX', hardware: false });
      return RunningMachine.of(machine, { kind: 'paging', rate: 2000, pages: 20 });
    });
    const { memory } = running;
    running.runSteps(200);
    const ask = <C extends 'status' | 'console' | 'reset'>(command: C, more: Partial<RequestOf<C>> = {}) =>
      askMachine(socket, { command, ...more }, ignore, never);
    const status = await ask('status');
    expect(status).toMatchObject({ host: { paging: 'PAE+NX,raw', sharing: null } });
    expect(status.cpus).toHaveLength(2);
    for (const line of ['info handlers', 'pgmsync', 'pgmsyncalways', 'pgmsyncalways', 'pgmerror', 'info mode'])
      expect(await ask('console', { line })).toMatchObject({ command: line, text: expect.stringMatching(/./) });
    expect(await ask('console', { line: 'pgmassertcr3' })).toMatchObject({ rows: [] });
    expect(await ask('console', { line: 'checkintegrity' })).toMatchObject({ rows: [] });
    expect(await ask('console', { line: 'pgmerror handy' })).toMatchObject({ text: 'done' });
    expect(memory.pages.backing.handy.injectFailure).toBe(true);
    await ask('console', { line: 'pgmerroroff handy' });
    await expect(ask('console', { line: 'nonsense' })).rejects.toMatchObject({ code: 'unknown-command' });
    await expect(ask('console', { line: '.save x' })).rejects.toMatchObject({ code: 'bad-request' });
    expect(await ask('reset')).toMatchObject({ state: 'running' });
    running.runSteps(300);
    expect(running.selfCheck().faults).toEqual([]);
    stop.abort();
    await ended;
  });
});
