import { expect, it } from 'vitest';
import { newPairingCode } from '../../migrations/trust/pairing-code.ts';
import { runHere } from '../testing/run-here.ts';
import { dryRunText } from './drain-text.ts';

it('a dry run tells of no machines where there are none, not where they do not answer', () => {
  const nothing = { moves: [], unanswered: [], targets: [] };
  expect(String(dryRunText(nothing))).toBe('no machines');
  const because = 'Cannot carry out status: the process of the machine at a.sock does not answer; it hangs';
  const silent = { ...nothing, unanswered: [{ machine: 'a.sock', because }] };
  expect(String(dryRunText(silent))).toBe(`a.sock: ${because}`);
});

it('refuses a pairing code that stands on the command line, as migrate does', async () => {
  const code = newPairingCode();
  const { exitCode, stderr } = await runHere(
    'drain',
    'a.sock',
    '--to',
    'b:7000',
    '--code-file',
    code,
    '--records',
    'none',
  );
  expect([exitCode, stderr]).toEqual([
    2,
    expect.stringContaining('Cannot use --code-file: its value is a code itself'),
  ]);
  expect(stderr).not.toContain(code);
});
