import { readFileSync } from 'node:fs';
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { join } from 'node:path';
import { gzipSync } from 'node:zlib';
import { afterAll, afterEach, beforeAll, beforeEach, expect, it, vi } from 'vitest';
import { openHttp } from '../formats/files/web/http-source.ts';
import { REAL_TIME, type Time } from '../formats/world/time.ts';
import { enterWorld, REAL_WORLD } from '../formats/world/world.ts';
import { STATES_FOLDER } from '../src/testing/states.ts';
import { runHere } from './testing/run-here.ts';

const state = readFileSync(join(STATES_FOLDER, 'own-long.sav'));
/** A file of several blocks. */
const large = Buffer.alloc(
  5_000_000,
  Uint8Array.from({ length: 251 }, (_, i) => i),
);
const files: Record<string, Buffer> = {
  '/s.sav': state,
  '/s.sav.gz': gzipSync(state),
  '/large': large,
  '/empty': Buffer.alloc(0),
};

/** Ends of waits for a silent server. They come when a test says so; shorter waits end at once. */
const silences = new Set<() => void>();
const patientTime: Time = {
  ...REAL_TIME,
  after(ms, work, keepsAlive) {
    if (ms < 60_000) return REAL_TIME.after(0, work, keepsAlive);
    silences.add(work);
    return work;
  },
  stop(timer) {
    if (!silences.delete(timer as () => void)) REAL_TIME.stop(timer);
  },
};

let base = '';
let requests: IncomingMessage[] = [];
let answer: (request: IncomingMessage, response: ServerResponse) => void;
const server = createServer((request, response) => {
  requests.push(request);
  answer(request, response);
});
beforeAll(async () => {
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  base = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
});
afterAll(() => server.close());
beforeEach(() => {
  requests = [];
  answer = withRanges;
  silences.clear();
  enterWorld({ ...REAL_WORLD, time: patientTime });
});
afterEach(() => void enterWorld(REAL_WORLD));

/** Answers a request as a server with ranges does, written from RFC 9110 alone. */
function withRanges({ url = '', headers, method }: IncomingMessage, response: ServerResponse, etag = '"1"'): void {
  const bytes = files[url.split('?')[0]];
  if (!bytes) return void response.writeHead(404).end();
  const [, from, to] = /^bytes=(\d+)-(\d+)$/.exec(headers.range ?? '') ?? [];
  const isSame = headers['if-range'] === undefined || headers['if-range'] === etag;
  if (method === 'HEAD' || from === undefined || !isSame)
    return void response.writeHead(200, { etag, 'content-length': bytes.length }).end(method === 'HEAD' ? '' : bytes);
  if (Number(from) >= bytes.length)
    return void response.writeHead(416, { 'content-range': `bytes */${bytes.length}` }).end();
  const last = Math.min(Number(to), bytes.length - 1);
  response.writeHead(206, { etag, 'content-range': `bytes ${from}-${last}/${bytes.length}` });
  response.end(bytes.subarray(Number(from), last + 1));
}

it('reads states from a server, packed ones too', async () => {
  for (const name of ['/s.sav', '/s.sav.gz'])
    expect(await runHere('verify', `${base}${name}`)).toMatchObject({
      exitCode: 0,
      stdout: expect.stringContaining('whole'),
    });
  expect(await runHere('inspect', `${base}/none.sav`)).toMatchObject({
    exitCode: 4,
    stderr: expect.stringContaining('status 404'),
  });
});

it('fetches only the blocks that are read, and each once', async () => {
  const source = await openHttp(`${base}/large`);
  expect([source.size, source.seekable]).toEqual([large.length, true]);
  const piece = new Uint8Array(1000);
  for (const at of [4_999_500, 4_000_000, 1_048_000, 4_999_000]) {
    const count = await source.read(piece, at);
    expect(Buffer.from(piece.subarray(0, count)).equals(large.subarray(at, at + 1000))).toBe(true);
  }
  expect(await source.read(piece, large.length)).toBe(0);
  // Blocks 0, 4, 3 and 1.
  expect(requests).toHaveLength(4);
  expect(requests[1].headers['if-range']).toBe('"1"');
});

it('notices that a file has changed meanwhile', async () => {
  const source = await openHttp(`${base}/large`);
  answer = (request, response) => withRanges(request, response, '"2"');
  await expect(source.read(new Uint8Array(10), 3_000_000)).rejects.toMatchObject({ code: 'http-changed' });
});

it('reads from a server without ranges as from a stream, and calls an empty file empty', async () => {
  answer = ({ url = '' }, response) => void response.end(files[url]);
  expect((await runHere('verify', `${base}/s.sav`)).exitCode).toBe(0);
  answer = withRanges;
  expect((await runHere('verify', `${base}/empty`)).stdout).toContain('the file is empty');
});

it('asks again where a server fails for a moment, and believes no wrong range', async () => {
  let failures = 1;
  answer = (request, response) => (failures-- > 0 ? void response.writeHead(503).end() : withRanges(request, response));
  expect((await runHere('verify', `${base}/s.sav`)).exitCode).toBe(0);
  const source = await openHttp(`${base}/large`);
  for (const range of ['bytes 0-9/5000000', 'bytes 3145728-4194303/4999999', 'nonsense']) {
    answer = (_, response) => void response.writeHead(206, { 'content-range': range }).end(Buffer.alloc(2_000_000));
    await expect(source.read(new Uint8Array(10), 3_145_728)).rejects.toMatchObject({ code: /^http-/ });
  }
});

it('repeats no secret of a link in messages, and sends the one of the environment', async () => {
  vi.stubEnv('SAVKIT_HTTP_AUTHORIZATION', 'Bearer abc');
  const { stderr } = await runHere('inspect', `${base}/none?signature=secret`);
  expect(stderr).not.toContain('secret');
  expect(requests[0].headers.authorization).toBe('Bearer abc');
});

it.each([
  ['http://[', 'it is no address on the web'],
  ['https://', 'it is no address on the web'],
  ['http://user:secret@127.0.0.1:99999/x?key=secret', 'it is no address on the web'],
  ['http://user:secret@127.0.0.1:1/x?key=secret', 'its address names a user'],
])('refuses %s in words', async (address, why) => {
  const { exitCode, stderr } = await runHere('verify', address);
  expect([exitCode, stderr]).toEqual([2, expect.stringContaining(why)]);
  expect(stderr).not.toContain('secret');
});

it('does not repeat an authorization that no header can hold', async () => {
  vi.stubEnv('SAVKIT_HTTP_AUTHORIZATION', 'Bearer sec\nret');
  const { exitCode, stderr } = await runHere('verify', `${base}/s.sav`);
  expect([exitCode, stderr]).toEqual([2, expect.stringContaining('no header')]);
  expect(stderr).not.toContain('sec');
});

it('notices another file where a server does not care about conditions', async () => {
  const source = await openHttp(`${base}/large`);
  answer = (request, response) => {
    delete request.headers['if-range'];
    withRanges(request, response, '"2"');
  };
  await expect(source.read(new Uint8Array(10), 3_000_000)).rejects.toMatchObject({ code: 'http-changed' });
});

it.each<[string, (response: ServerResponse) => void, string]>([
  ['ends too early', (to) => to.writeHead(200, { 'content-length': 1000 }).write('x', () => to.destroy()), 'too early'],
  ['does not speak HTTP', (to) => void to.socket?.end('hello\n'), 'does not speak HTTP'],
  [
    'names a size that no file has',
    (to) => to.writeHead(206, { 'content-range': `bytes 0-9/${2n ** 60n}` }).end('0123456789'),
    'no size that a file can have',
  ],
  [
    'gives another range',
    (to) => to.writeHead(206, { 'content-range': 'bytes 5-9/10' }).end('56789'),
    'another range than was asked for',
  ],
])('says in words that a server %s', async (_, respond, words) => {
  answer = (_request, response) => respond(response);
  const { exitCode, stdout, stderr } = await runHere('verify', `${base}/s.sav`);
  expect([exitCode, stdout + stderr]).toEqual([4, expect.stringContaining(words)]);
});

it('waits as long as bytes come, and not for ever where none do', async () => {
  let stream: ServerResponse | undefined;
  answer = (_, response) => {
    stream = response;
    response.write('0');
  };
  const source = await openHttp(`${base}/s.sav`);
  expect(await source.read(Buffer.alloc(1), 0)).toBe(1);
  for (let at = 1; at < 4; at++) {
    const reading = source.read(Buffer.alloc(1), at);
    await vi.waitUntil(() => silences.size === 1, 60_000);
    const [before] = silences;
    stream?.write(`${at}`);
    expect(await reading).toBe(1);
    // The wait for the next piece begins anew.
    await vi.waitUntil(() => silences.size === 1 && !silences.has(before), 60_000);
  }
  const isSilent = async (work: Promise<unknown>) => {
    const refused = expect(work).rejects.toThrow('has sent nothing for 60 s');
    await vi.waitUntil(() => silences.size === 1, 60_000);
    for (const pass of silences) pass();
    await refused;
  };
  await isSilent(source.read(Buffer.alloc(1), 4));
  answer = () => {};
  await isSilent(openHttp(`${base}/s.sav`));
});

it('does not wait for the end of answers that only announce one', async () => {
  answer = (_, response) => {
    for (let i = 0; i < 100; i++) response.writeProcessing();
  };
  await expect(openHttp(`${base}/s.sav`)).rejects.toThrow('the server announces answers without end');
  // A few such announcements, as real servers send them, are fine.
  answer = (request, response) => {
    for (let i = 0; i < 5; i++) response.writeProcessing();
    withRanges(request, response);
  };
  await (await openHttp(`${base}/s.sav`)).close();
});

it('ends as interrupted when it is stopped while it waits for a server', async () => {
  const stop = new AbortController();
  answer = () => stop.abort();
  await expect(openHttp(`${base}/s.sav`, { signal: stop.signal })).rejects.toMatchObject({ code: 'interrupted' });
});
