import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Ajv } from 'ajv';
import { describe, expect, it } from 'vitest';
import { STATES_FOLDER } from '../src/testing/states.ts';
import { runSavkit } from './testing/run-savkit.ts';

const state = join(STATES_FOLDER, 'own-pae.sav');
const schema = JSON.parse(readFileSync(new URL('./output.schema.json', import.meta.url), 'utf8')) as object;
const matchesSchema = new Ajv({ allErrors: true, strict: false }).compile(schema);

describe('savkit console', () => {
  it('answers commands of the command line, in JSON too', async () => {
    const { stdout, exitCode } = await runSavkit(['console', state, '-c', 'info mode guest', '-c', 'pgmram']);
    expect(exitCode).toBe(0);
    expect(stdout.toString()).toContain('Guest paging mode (VCPU #0):  PAE+NX');
    expect(stdout.toString()).toContain('From     - To (incl) pvHC');
    const document = JSON.parse((await runSavkit(['console', state, '-c', 'walk 0x1000', '-c', 'nonsense', '--json'])).stdout.toString());
    expect(matchesSchema(document), JSON.stringify(matchesSchema.errors)).toBe(true);
    const { answers } = document.files[0].result;
    expect(answers[0].rows[0]).toMatchObject({ virtual: '0x1000', physical: '0x1000' });
    expect(answers[1].error.code).toBe('unknown-command');
    expect(document.exitCode).toBe(2);
  });

  it('reads commands from a file, and writes a changed machine', async () => {
    const folder = mkdtempSync(join(tmpdir(), 'savkit-console-'));
    try {
      const output = join(folder, 'new.sav');
      const { exitCode } = await runSavkit(['console', state], { stdin: Buffer.from(`poke 0x1000 cafe\nsave ${output}\n`) });
      expect(exitCode).toBe(0);
      expect((await runSavkit(['peek', output, '--at', '0x1000', '--len', '2', '--raw'])).stdout.toString('hex')).toBe('cafe');
    } finally {
      rmSync(folder, { recursive: true });
    }
  });
});
