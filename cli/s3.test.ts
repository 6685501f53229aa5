import { createHash, createHmac } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { join } from 'node:path';
import { afterAll, afterEach, beforeAll, describe, expect, it, vi } from 'vitest';
import { signS3 } from '../formats/files/web/s3-signature.ts';
import { STATES_FOLDER } from '../src/testing/states.ts';
import { runHere } from './testing/run-here.ts';

const state = readFileSync(join(STATES_FOLDER, 'own-long.sav'));
const KEYS = { keyId: 'AKIAIOSFODNN7EXAMPLE', secret: 'wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY' };
const PATH = '/states/2024/a%20b%20%281%29.sav';
let ranges: string[] = [];

/**
 * Answers as an object store with one object, which takes only signed requests. The signature is computed here once
 * more, from its rules.
 */
function answer(request: IncomingMessage, response: ServerResponse): void {
  const { url = '', method = '', headers } = request;
  if (!isSigned(method, url, headers as Record<string, string>)) return void response.writeHead(403).end();
  if (url !== PATH) return void response.writeHead(404).end();
  const [, from, to] = /^bytes=(\d+)-(\d+)$/.exec(headers.range ?? '') ?? [];
  if (from === undefined) return void response.writeHead(200, { 'content-length': state.length }).end();
  ranges.push(headers.range ?? '');
  const last = Math.min(Number(to), state.length - 1);
  response.writeHead(206, { etag: '"1"', 'content-range': `bytes ${from}-${last}/${state.length}` });
  response.end(state.subarray(Number(from), last + 1));
}

function isSigned(method: string, url: string, headers: Record<string, string>): boolean {
  const parts =
    /^AWS4-HMAC-SHA256 Credential=([^/]+)\/(\d{8})\/([^/]+)\/s3\/aws4_request,SignedHeaders=([^,]+),Signature=(\w+)$/.exec(
      headers.authorization ?? '',
    );
  if (!parts || parts[1] !== KEYS.keyId || !headers['x-amz-date']?.startsWith(parts[2])) return false;
  const sha = (text: string) => createHash('sha256').update(text).digest('hex');
  const mac = (key: string | Buffer, text: string) => createHmac('sha256', key).update(text).digest();
  const lines = parts[4].split(';').map((name) => `${name}:${headers[name]}\n`);
  const canonical = `${method}\n${url}\n\n${lines.join('')}\n${parts[4]}\n${sha('')}`;
  const text = `AWS4-HMAC-SHA256\n${headers['x-amz-date']}\n${parts[2]}/${parts[3]}/s3/aws4_request\n${sha(canonical)}`;
  const key = mac(mac(mac(mac(`AWS4${KEYS.secret}`, parts[2]), parts[3]), 's3'), 'aws4_request');
  return mac(key, text).toString('hex') === parts[5] && parts[4].split(';').includes('host');
}

const server = createServer(answer);
beforeAll(() => new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve)));
afterAll(() => server.close());
afterEach(() => vi.unstubAllEnvs());

function portOf(of: typeof server): number {
  return (of.address() as AddressInfo).port;
}

function stubAccess(secret = KEYS.secret): void {
  vi.stubEnv('AWS_ACCESS_KEY_ID', KEYS.keyId);
  vi.stubEnv('AWS_SECRET_ACCESS_KEY', secret);
  vi.stubEnv('AWS_ENDPOINT_URL', `http://127.0.0.1:${portOf(server)}`);
}

describe('s3://', () => {
  it('signs as the example of Amazon has it', () => {
    // Signature Calculations for the Authorization Header, Example: GET Object.
    const { authorization } = signS3(
      'GET',
      'https://examplebucket.s3.amazonaws.com/test.txt',
      { range: 'bytes=0-9' },
      { ...KEYS, region: 'us-east-1' },
      Date.UTC(2013, 4, 24),
    );
    expect(authorization.slice(-64)).toBe('f0e8bdb87c964420e857bd35b5d6ed310bd44f0170aba48dd91039c6036bdb41');
  });

  it('reads states by signed ranges, whatever the key holds', async () => {
    stubAccess();
    ranges = [];
    const { stdout, exitCode } = await runHere('verify', 's3://states/2024/a b (1).sav');
    expect([exitCode, stdout]).toEqual([0, expect.stringContaining('s3://states/2024/a b (1).sav: whole')]);
    expect(ranges.length).toBeGreaterThan(0);
  });

  it('follows no server elsewhere: what is signed for one, and its session, are not for others', async () => {
    let asked = 0;
    const other = createServer((_, response) => {
      asked++;
      response.writeHead(200).end(state);
    });
    const first = createServer((_, response) => {
      response.writeHead(307, { location: `http://127.0.0.1:${portOf(other)}/x` }).end();
    });
    for (const each of [other, first]) await new Promise<void>((resolve) => each.listen(0, '127.0.0.1', resolve));
    stubAccess();
    vi.stubEnv('AWS_SESSION_TOKEN', 'session');
    vi.stubEnv('AWS_ENDPOINT_URL', `http://127.0.0.1:${portOf(first)}`);
    const { exitCode, stderr } = await runHere('verify', 's3://states/a.sav');
    expect([exitCode, stderr, asked]).toEqual([
      4,
      expect.stringContaining('redirects to another place (status 307)'),
      0,
    ]);
    for (const each of [other, first]) each.close();
  });

  it('tells what the server refuses, and no secret', async () => {
    stubAccess('wrong');
    const refused = await runHere('verify', 's3://states/2024/a b (1).sav');
    expect([refused.exitCode, refused.stderr]).toEqual([4, expect.stringContaining('status 403')]);
    expect(refused.stderr).not.toContain(KEYS.keyId);
    stubAccess();
    expect((await runHere('verify', 's3://states/none')).stderr).toContain(
      's3://states/none: the server answers with status 404',
    );
    expect((await runHere('verify', 's3://states')).exitCode).toBe(2);
  });

  it('refuses half a key and a malformed address of a server, by the name of the variable', async () => {
    stubAccess();
    vi.stubEnv('AWS_ENDPOINT_URL', 'user:secret@host');
    const { exitCode, stderr } = await runHere('verify', 's3://states/a.sav');
    expect([exitCode, stderr]).toEqual([2, expect.stringContaining('Cannot use AWS_ENDPOINT_URL')]);
    expect(stderr).not.toContain('secret');
    stubAccess('');
    const half = await runHere('verify', 's3://states/a.sav');
    expect([half.exitCode, half.stderr]).toEqual([2, expect.stringContaining('AWS_SECRET_ACCESS_KEY is not set')]);
  });
});
