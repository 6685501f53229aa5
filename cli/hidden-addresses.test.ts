import { mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { addressName, withAddressNames } from '../formats/files/web/address-name.ts';
import { STATES_FOLDER } from '../src/testing/states.ts';
import { addFiles } from './fleet/add.ts';
import type { FleetQueue } from './fleet/engine.ts';
import { resultsOf } from './fleet/results.ts';
import { addressOf } from './io/addresses.ts';
import { runHere } from './testing/run-here.ts';
import { runSavkit } from './testing/run-savkit.ts';

const state = readFileSync(join(STATES_FOLDER, 'own-pae.sav'));
let served: string[] = [];
const server = createServer((request, response) => {
  served.push(request.url ?? '');
  const isRight = /\?sig=geheim-\d$/.test(request.url ?? '');
  response.writeHead(isRight ? 200 : 403, { 'content-length': isRight ? state.length : 0 });
  response.end(isRight && request.method === 'GET' ? state : undefined);
});
let base = '';
let folder = '';
const at = (name: string) => join(folder, name);

beforeAll(async () => {
  await new Promise<void>((resolve) => void server.listen(0, '127.0.0.1', resolve));
  base = `http://127.0.0.1:${(server.address() as AddressInfo).port}/s.sav`;
});
afterAll(() => server.close());
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'savkit-test-'));
  served = [];
});
afterEach(() => rmSync(folder, { recursive: true }));

/** All that a run leaves in files and prints. */
async function allOf(...words: string[]): Promise<{ text: string; exitCode: unknown }> {
  // Processes side by side are started from the built program.
  const { stdout, stderr, exitCode } = await (words.includes('--jobs') ? runSavkit(words) : runHere(...words));
  const files = readdirSync(folder, { recursive: true, withFileTypes: true }).filter((entry) => entry.isFile());
  const kept = files
    .filter(({ name }) => name !== 'list')
    .map(({ name, parentPath }) => `${join(parentPath, name)} ${readFileSync(join(parentPath, name), 'latin1')}`);
  return { text: [stdout, stderr, ...kept].join('\n'), exitCode };
}

describe('a secret in the address of a file', () => {
  it.each([
    ['a document', () => ['verify', `${base}?sig=geheim-1`, '--json', '--metrics', at('metrics')]],
    ['events and a journal', () => ['verify', `${base}?sig=geheim-1`, '--ndjson', '--journal', at('journal')]],
    ['a description', () => ['inspect', `${base}?sig=geheim-1`]],
    ['outputs and lists', () => ['convert', `${base}?sig=geheim-1`, '--into', at('out'), '--sums', at('sums')]],
    ['custody', () => ['convert', `${base}?sig=geheim-1`, at('x.sav'), '--custody', at('custody'), '--json']],
    ['an option', () => ['convert', `--like=${base}?sig=geheim-1`, join(STATES_FOLDER, 'own-pae.sav'), at('x.sav')]],
    ['a difference', () => ['diff', `${base}?sig=geheim-1`, `${base}?sig=geheim-2`, '--json']],
  ])('is in no output: %s', async (_, words) => {
    const { text } = await allOf(...words());
    expect([text.includes('geheim'), served.some((url) => url.includes('geheim'))]).toEqual([false, true]);
  });

  it.each(['verify', 'extract', 'salvage', 'manifest', 'check', 'find'])('is in no error of %s', async (command) => {
    for (const address of [`${base}?sig=geheim`, `ftp${base}?sig=geheim-1`, 'http://user:geheim@127.0.0.1:1/x']) {
      const { text, exitCode } = await allOf(command, address, '--json', '-o', '/nowhere/x', 'words');
      expect([exitCode === 0, text.includes('geheim')]).toEqual([false, false]);
    }
  });

  it('is known to processes side by side, and a journal tells files apart by a hash of it', async () => {
    writeFileSync(at('list'), [1, 2, 3].map((number) => `${base}?sig=geheim-${number}\n`).join(''));
    const words = ['verify', '--files-from', at('list'), '--jobs', '2', '--ndjson', '--journal', at('journal')];
    const first = await allOf(...words);
    expect([first.exitCode, first.text.includes('geheim')]).toEqual([0, false]);
    expect(new Set(readFileSync(at('journal'), 'utf8').match(/hidden=[0-9a-f]{12}/g)).size).toBe(3);
    writeFileSync(at('list'), [1, 2, 3, 4].map((number) => `${base}?sig=geheim-${number}\n`).join(''));
    served = [];
    expect((await allOf(...words, '--resume')).text).not.toContain('geheim');
    expect(served.filter((url) => url.endsWith('4')).length).toBeGreaterThan(1);
    // Of files that are done, savkit only asks whether they have changed.
    expect(served.length - served.filter((url) => url.endsWith('4')).length).toBe(3);
  });

  it('is in the queue of a fleet, and in no report of it', async () => {
    const jobs: { data: object }[] = [];
    const queue = { addBulk: async (more: never[]) => jobs.push(...more) } as unknown as FleetQueue;
    const options = { operation: 'verify', with: [], paths: [`${base}?sig=geheim-1`], recursive: false, null: false };
    await addFiles(queue, { ...options, filesFrom: undefined }, new AbortController().signal);
    expect(JSON.stringify(jobs)).toContain(`${base}?sig=geheim-1`);
    const done = { getJobs: async (states: string[]) => (states[0] === 'failed' ? jobs : []) };
    const { lines } = await resultsOf(done as unknown as FleetQueue);
    expect([lines.length, JSON.stringify(lines).includes('geheim')]).toEqual([1, false]);
  });
});

describe('the name of an address', () => {
  it.each([
    ['https://h/x.sav', 'https://h/x.sav'],
    ['https://h/x@y.sav', 'https://h/x@y.sav'],
    ['https://user:pass@h/x.sav', 'https://h/x.sav'],
    ['https:///user:pass@h/x.sav', 'https:///h/x.sav'],
    ['https:\\\\user:pass@h\\x.sav', 'https:\\\\h\\x.sav'],
    ['https://user:pa/ss@h:port/x.sav', 'https://h:port/x.sav'],
    ['s3://key:pass@bucket/x', 's3://bucket/x'],
    ['/home/me/a?b=c', '/home/me/a?b=c'],
    ['C:\\a?b', 'C:\\a?b'],
  ])('of %s holds no password', (address, name) => {
    expect(addressName(address)).toBe(name);
  });

  it('differs where hidden parts differ, and stays as it is', () => {
    const [one, two] = ['https://h/x?a=1', 'https://h/x?a=2'].map(addressName);
    expect(one).toMatch(/^https:\/\/h\/x\?hidden=[0-9a-f]{12}$/);
    expect(two).not.toBe(one);
    expect(addressName(one)).toBe(one);
    expect(() => addressOf(one)).toThrow('a part of this address is hidden');
  });

  it('stands for each address within a text', () => {
    const text = 'json:{"url": "https://u:pass@h/x?y", "b": "nbd://h:1/z"}';
    expect(withAddressNames(text)).toMatch(
      /^json:\{"url": "https:\/\/h\/x\?hidden=[0-9a-f]+", "b": "nbd:\/\/h:1\/z"\}$/,
    );
  });
});
