import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { createServer, type Server, type Socket } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest';
import { joinUnits, splitUnits } from '../src/testing/state-surgery.ts';
import { STATES_FOLDER } from '../src/testing/states.ts';
import { runHere } from './testing/run-here.ts';

// Whoever writes a file, or answers, chooses names and words. None of these may steer the terminal, or look like a line
// of savkit's own.

const FORGED = 'all is well';
const NAME = `x\x1b]0;title\x07\x1b[2J\u009b31m\u202e\u200b\n${FORGED}`;
/** The same in bytes that are no UTF-8, as names in states are. */
const LATIN1 = `x\x1b]0;t\x07\x9b31m\n${FORGED}`;

const folder = mkdtempSync(join(tmpdir(), 'savkit-hostile-'));
const plain = join(STATES_FOLDER, 'own-long.sav');
const state = join(folder, 'state.sav');
const damaged = join(folder, 'damaged.sav');
afterAll(() => rmSync(folder, { recursive: true, force: true }));

beforeAll(() => {
  const original = readFileSync(plain);
  const units = splitUnits(original);
  const pair = (text: string) => Buffer.concat([Buffer.of(text.length, 0, 0, 0), Buffer.from(text, 'latin1')]);
  const build = Buffer.concat([...['Build Type', LATIN1, LATIN1, LATIN1].map(pair), Buffer.alloc(8)]);
  const changed = units.map(({ name, records, ...unit }) => {
    if (name === 'SSM') return { ...unit, name, payload: build };
    const bytes = Buffer.from(records ?? []);
    // Ranges of the unit pgm; a name keeps its length.
    for (const own of name === 'pgm' ? ['VMMDev Heap', 'PC BIOS - 0xfffff'] : []) {
      for (let at = bytes.indexOf(own); at >= 0; at = bytes.indexOf(own, at + 1))
        bytes.write(`${LATIN1.slice(0, 8).padEnd(own.length - 3, '\n')}\x1b[J`, at, 'latin1');
    }
    return { ...unit, name: name === 'HWACCM' ? LATIN1 : name, records: bytes };
  });
  const bytes = joinUnits(changed, original);
  writeFileSync(state, bytes);
  bytes[bytes.length >> 1] ^= 1;
  bytes[bytes.lastIndexOf(LATIN1, undefined, 'latin1') + LATIN1.length + 5] ^= 1;
  writeFileSync(damaged, bytes);
});

/** Runs a command line. @returns its output, which must be harmless */
async function harmless(...words: string[]): Promise<string> {
  const { stdout, stderr } = await runHere(...words);
  const text = stdout + stderr;
  expect(text.replaceAll('\n', ''), words.join(' ')).not.toMatch(/[\p{Cc}\p{Cf}\p{Cs}\p{Zl}\p{Zp}]/u);
  for (const line of text.split('\n')) expect(line.startsWith(FORGED), words.join(' ')).toBe(false);
  return text;
}

function fileOf(name: string, text: string): string {
  const path = join(folder, name);
  writeFileSync(path, text);
  return path;
}

describe('names in a state', () => {
  it.each([
    ['inspect', 'state', 'well  x?]0'],
    ['verify --units', 'state', 'x?]0;t??31m?all is well'],
    ['verify', 'damaged', 'x?]0;t??31m?all is well'],
    ['inspect', 'damaged', 'x?]0;t??31m?all is well'],
    ['salvage -f', 'damaged OUT', 'out: '],
    ['diff', 'state PLAIN', 'x?]0;t??31m?all is well'],
    ['check --virtualbox 4.0', 'state', 'state.sav'],
    ['check --virtualbox 4.0', 'damaged', 'damaged.sav'],
    ['check --against PLAIN', 'state', 'will not load'],
    ['convert --dry-run --pgm 9 --container 1.2 --allow-loss', 'state', ''],
    ['convert --print-layout', 'state', '\\n'],
    ['extract -o OUT -f --rom none', 'state', 'x?]0'],
    ['extract -o OUT -f --mmio2 none', 'state', 'there are: '],
    ['extract -o OUT -f --unit none', 'state', 'none'],
    ['console -c', 'info\u00a0phys state', '?]0;t'],
    ['stats', 'state', '/PGM/'],
    ['manifest -f -o OUT', 'state', 'memory'],
    ['inspect --json', 'state', '\\u001b'],
    ['verify --json', 'damaged', '\\u001b'],
  ])('%s, %s', async (command, rest, seen) => {
    const paths: Record<string, string> = { state, damaged, OUT: join(folder, 'out'), PLAIN: plain };
    const words = `${command} ${rest}`.split(' ').map((word) => paths[word] ?? word.replace('\u00a0', ' '));
    expect(await harmless(...words)).toContain(seen);
  });
});

describe('names and words in other files', () => {
  const escaped = NAME.replace(/[^ -~]/g, (letter) => `\\u${letter.charCodeAt(0).toString(16).padStart(4, '0')}`);

  it('of settings', async () => {
    const xml = (text: string) =>
      fileOf(
        'box.vbox',
        `<VirtualBox version="1.19-linux"><Machine name="${text}"><Hardware><CPU count="${text}"/><Memory RAMSize="${text}"/></Hardware></Machine></VirtualBox>`,
      );
    for (const text of [NAME.replace('\x07', ''), '&#27;[2J', '\u009b2J\n'])
      await harmless('check', state, '--machine', xml(text));
    await harmless('check', state, '--machine', fileOf(`\x1b[2J\u202e.vbox`, '<VirtualBox/>'));
  });

  it('of logs, traces, layouts, manifests and records', async () => {
    const log = fileOf(
      'VBox.log',
      `00:00:01.000000 SSM: LoadExec failed for '${NAME.replace('\n', '')}' instance #0 (version 1, pass 0xffffffff): VERR_SSM_UNEXPECTED_DATA\n`,
    );
    expect(await harmless('explain', log)).toContain('SSM');
    await harmless('explain', NAME);
    await harmless('run', '--ram', '4M', '--trace', fileOf('t.trace', `${NAME}\n${NAME}`), '--for', '0.1');
    await harmless(
      'convert',
      state,
      join(folder, 'out'),
      '-f',
      '--pgm',
      '14',
      '--layout',
      fileOf('layout.json', `{"roms":[{"name":"${escaped}","address":"${escaped}","size":1}]}`),
    );
    await harmless('verify', state, '--manifest', fileOf('m.json', `{"format":"${escaped}"}`));
    await harmless(
      'migrate',
      '--resolve',
      fileOf(
        'r.json',
        `{"side":"source","migration":"${escaped}","machine":"${escaped}","decision":"${escaped}","pid":1,"peer":"x","at":1}`,
      ),
    );
  });

  it('of files', async () => {
    const path = join(folder, NAME);
    expect(await harmless('verify', path)).toContain('Cannot open');
    writeFileSync(path, readFileSync(plain));
    for (const words of [
      ['inspect'],
      ['verify'],
      ['check', '--virtualbox', '7.2'],
      ['diff', plain],
      ['extract', '-f', '-o', `${path}2`],
      ['manifest', '-f', '-o', `${path}3`],
      ['peek', '--at', '0'],
    ])
      expect(await harmless(...words, path)).not.toBe('');
    await harmless('migrate', path, '--to', NAME, '--code-file', path);
    await harmless('control', path, 'status');
    await harmless('receive', '--listen', NAME, '--insecure');
  });
});

describe('words of others', () => {
  let server: Server;
  afterEach(() => server.close());

  /** Listens, and answers each connection. */
  async function listening(path: string | undefined, answer: (socket: Socket) => void): Promise<number> {
    server = createServer((socket) => {
      socket.on('error', () => {});
      answer(socket);
    });
    await new Promise<void>((resolve) =>
      path === undefined ? server.listen(0, '127.0.0.1', resolve) : server.listen(path, resolve),
    );
    return path === undefined ? (server.address() as { port: number }).port : 0;
  }

  it.each([
    [
      'status',
      {
        ok: true,
        result: {
          name: NAME,
          state: NAME,
          ramSize: 1,
          workload: { kind: NAME, seed: 1, pages: 1, rate: 1, patternSize: 1 },
          steps: 1,
          ticks: 1,
          faults: 0,
          throttle: 0,
          figures: { runMs: 1, steps: 1, ticks: 1, longestGapMs: 1, lastPauseMs: 1 },
          pages: { [NAME]: 1 },
        },
      },
    ],
    [
      'stats',
      { ok: true, result: { statistics: [{ path: NAME, kind: 'u64', unit: 'count', description: NAME, value: 1 }] } },
    ],
    ['stop', { ok: false, error: { class: 'EnvironmentError', code: NAME, message: NAME, vboxCode: NAME } }],
  ])('at a control socket: %s', async (action, reply) => {
    const path = join(folder, `${action}.sock`);
    await listening(path, (socket) => {
      socket.write(`${JSON.stringify({ id: 1, event: NAME, percent: 1 })}\n`);
      socket.end(`${JSON.stringify({ id: 1, ...reply })}\n`);
    });
    expect(await harmless('control', path, action)).toContain('?[2J');
    expect(await harmless('control', path, action, '--json')).toContain('\\u001b[2J');
  });

  it('at a teleporter', async () => {
    const port = await listening(undefined, (socket) => socket.end(`${NAME}\n`.repeat(2)));
    const password = fileOf('pw', 'secret');
    await harmless('send', plain, '--teleporter', '--to', `127.0.0.1:${port}`, '--password-file', password);
  });

  it('at a server that is no target', async () => {
    const port = await listening(undefined, (socket) => socket.end(`${NAME}\n`.repeat(20)));
    await harmless('migrate', plain, '--to', `127.0.0.1:${port}`, '--insecure', '--records', folder);
  });
});
