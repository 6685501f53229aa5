import { readFileSync } from 'node:fs';
import { afterEach, describe, expect, it } from 'vitest';
import { Receiver } from '../arrival/receiver.ts';
import { DecisionMemory } from '../hand-over/decision-record.ts';
import { DEFAULT_LIMITS } from '../policy/limits.ts';
import { migrate, newMigrationId } from '../source/migration.ts';
import { mixedMachine } from '../testing/mixed-machine.ts';
import { SHORT } from '../testing/pair.ts';
import { PlainHost } from '../testing/plain-machine.ts';
import { connectToTarget } from './connect-to-target.ts';
import { Gate } from './gate.ts';
import { keyOfCode, newPairingCode } from './pairing-code.ts';
import { type CertificateTrust, sourceTls, type Trust, targetTls } from './trust.ts';

const pem = (name: string) => readFileSync(new URL(`../../test-vectors/tls/${name}`, import.meta.url), 'utf8');
const certificates = (name: string, authority = 'authority', peerName?: string): CertificateTrust => ({
  kind: 'certificates',
  certificate: pem(`${name}.pem`),
  key: pem(`${name}.key`),
  authority: pem(`${authority}.pem`),
  peerName,
});
const code = (text = newPairingCode()): Trust => ({ kind: 'code', key: keyOfCode(text) });

let gate: Gate | undefined;
afterEach(() => gate?.close());

/**
 * Tries to migrate a small machine over TCP. @returns what came of it, or the error's words; and whom the target did
 * not let in
 */
async function attempt(source: Trust, target: Trust): Promise<{ outcome: string; refused: string[] }> {
  const refused: string[] = [];
  const receiver = await Receiver.create(new PlainHost(), { logFor: () => new DecisionMemory() });
  gate = await Gate.open({ host: '127.0.0.1', port: 0 }, target, {
    onConnection: (socket, peer) => void receiver.accept(socket, peer),
    onRefused: (_, why) => refused.push(why),
  });
  const { endpoint } = gate;
  const machine = mixedMachine(50);
  const outcome = await migrate(machine, {
    connect: (signal) => connectToTarget(endpoint, source, signal),
    ...{
      migration: newMigrationId(),
      log: new DecisionMemory(),
      limits: { ...DEFAULT_LIMITS },
      resumeWithinMs: 0,
      timeOuts: SHORT,
    },
  }).then(
    (report) => report.outcome as string,
    (error: Error) => error.message,
  );
  expect(machine.isRunning).toBe(outcome !== 'handed-over');
  return { outcome, refused };
}

describe('trust', () => {
  it('comes from a code that both sides know, however it is typed', async () => {
    const text = newPairingCode();
    expect(await attempt(code(text.toUpperCase().replaceAll('-', ' ')), code(text))).toEqual({
      outcome: 'handed-over',
      refused: [],
    });
  });

  it('comes from certificates on both sides', async () => {
    expect(await attempt(certificates('source', 'authority', 'localhost'), certificates('target'))).toEqual({
      outcome: 'handed-over',
      refused: [],
    });
  });

  it('is refused for a wrong code, in words on both sides', async () => {
    const { outcome, refused } = await attempt(code(), code());
    expect(outcome).toMatch(/Cannot trust 127.0.0.1:\d+: the pairing code is not the one that the target shows/);
    expect(refused).toEqual(['it does not know the pairing code']);
  });

  it.each<[string, Trust, Trust, RegExp]>([
    [
      'a target whose certificate the authority did not sign',
      certificates('source'),
      certificates('stranger'),
      /the certificate of the other side is not trusted/,
    ],
    [
      'a target of another name',
      certificates('source', 'authority', 'other.example'),
      certificates('target'),
      /certificate is for another name/,
    ],
    [
      'a source whose certificate the authority did not sign',
      certificates('stranger', 'authority', 'localhost'),
      certificates('target'),
      /may not trust this side/,
    ],
    ['a source without TLS', { kind: 'insecure' }, code(), /Cannot go on/],
    ['a target without TLS', code(), { kind: 'insecure' }, /Cannot (trust|go on|connect)/],
    [
      'a source with a code where certificates are asked for',
      code(),
      certificates('target'),
      /Cannot (trust|go on|connect)/,
    ],
  ])('is refused for %s', async (_, source, target, words) => {
    const { outcome } = await attempt(source, target);
    expect(outcome).toMatch(words);
  });

  it('in an authority without a certificate is in nobody, not in the public authorities of Node', () => {
    const empty = { ...certificates('target'), authority: '' };
    // Node replaces a value that is false, such as an empty text, by its public authorities.
    for (const { ca } of [sourceTls(empty, 'localhost'), targetTls(empty)]) expect(ca).toEqual(['']);
  });

  it('codes are long enough not to be guessed, and all different', () => {
    const codes = Array.from({ length: 200 }, newPairingCode);
    expect(new Set(codes).size).toBe(200);
    expect(Math.log2(31) * codes[0].replaceAll('-', '').length).toBeGreaterThan(128);
    expect(() => keyOfCode('abc')).toThrow('expected the 27');
  });
});
