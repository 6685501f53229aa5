import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { describe, expect, it } from 'vitest';
import { UsageError } from '../../../formats/errors.ts';
import { CODES } from './codes/codes.ts';
import { KINDS } from './codes/kinds.ts';
import { explainCode, explanationNamed, isKnownCode } from './explain.ts';

const root = fileURLToPath(new URL('../../../', import.meta.url));

function sources(folder: string): string[] {
  return readdirSync(folder, { recursive: true, encoding: 'utf8' })
    .filter((file) => file.endsWith('.ts') && !file.endsWith('.test.ts') && !file.includes('testing'))
    .map((file) => join(folder, file));
}

describe('the list of codes', () => {
  it('knows every code that savkit names', () => {
    const named = ['formats', 'src', 'migrations', 'cli'].flatMap((folder) => sources(join(root, folder)));
    const codes = new Set(
      named.flatMap((file) => readFileSync(file, 'utf8').match(/\bVERR_(?:SSM|SMM|PGM)_[A-Z0-9_]*[A-Z0-9]\b/g) ?? []),
    );
    expect(codes.size).toBeGreaterThan(30);
    // Not a code, but the beginning of several that are put together.
    codes.delete('VERR_PGM_SAVED');
    expect([...codes].filter((code) => !isKnownCode(code))).toEqual([]);
  });

  it('has the numbers of docs/spec, each once', () => {
    const numbers = CODES.flatMap(({ number }) => (number === undefined ? [] : [number]));
    expect(new Set(numbers).size).toBe(numbers.length);
    // The families of codes, from the first to the last number that docs/spec tells.
    const between = (first: number, last: number) =>
      numbers.filter((number) => number <= first && number >= last).length;
    expect(between(-1800, -1802)).toBe(3);
    expect(between(-1810, -1827)).toBe(18);
    expect(between(-1830, -1833)).toBe(4);
    expect(between(-1840, -1850)).toBe(11);
    expect(between(-1853, -1863)).toBe(10);
    expect(between(-1762, -1768)).toBe(6);
    expect(between(-1864, -1879)).toBe(16);
    expect(between(-1654, -1662)).toBe(9);
  });

  it('says of every code what it means, and of every error what to do', () => {
    for (const { name, kind, means } of CODES) {
      expect(means.length, name).toBeGreaterThan(10);
      expect(name.startsWith('VINF_'), name).toBe(kind === 'information' && name.startsWith('VINF_'));
      if (kind !== 'information') expect(KINDS[kind].next.length, name).toBeGreaterThan(0);
    }
    expect(JSON.stringify(KINDS)).not.toMatch(/discard|delete/i);
  });
});

describe('explainCode()', () => {
  it('takes names in any case, with and without VERR_', () => {
    for (const text of ['VERR_SSM_INTEGRITY_CRC', 'verr_ssm_integrity_crc', ' SSM_INTEGRITY_CRC '])
      expect(explainCode(text)).toMatchObject([{ number: -1814 }]);
    expect(explainCode('SSM_LIVE_SUSPENDED')).toMatchObject([{ name: 'VINF_SSM_LIVE_SUSPENDED', number: 1864 }]);
  });

  it('takes numbers with and without their sign', () => {
    for (const text of ['-1844', '1844', '−1844'])
      expect(explainCode(text)).toMatchObject([{ name: 'VERR_SSM_LOAD_CONFIG_MISMATCH' }]);
    expect(explainCode('-22')).toMatchObject([{ name: 'VERR_WRONG_ORDER' }]);
  });

  it('knows every number of saved states, named or not', () => {
    for (let number = -1899; number <= -1800; number++)
      expect(explainCode(String(number)).length, String(number)).toBeGreaterThan(0);
    expect(explainCode('1890')).toMatchObject([{ name: '-1890', number: -1890 }]);
  });

  it('knows what CPUs, memory and devices answer, and names adapt where that helps', () => {
    expect(explainCode('-2840')).toMatchObject([{ name: 'VERR_PDM_DEVICE_NOT_FOUND' }]);
    expect(explainCode('-1756')).toMatchObject([{ name: 'VERR_CPUM_DB_CPU_NOT_FOUND' }]);
    for (const code of ['VERR_SSM_LOAD_CONFIG_MISMATCH', 'VERR_CPUM_INVALID_XCR0', 'VERR_SSM_LOAD_CPUID_MISMATCH'])
      expect(explainCode(code)[0].next.join(), code).toContain('savkit adapt');
  });

  it('gives both meanings of a number that VirtualBox 3.0 used for another code', () => {
    expect(explainCode('-1824')).toMatchObject([
      { name: 'VERR_SSM_INTEGRITY_REC_TERM_CRC' },
      { name: 'VERR_SSM_DATA_UNIT_FORMAT_CHANGED', number: -1824, onlyIn30: true },
    ]);
  });

  it('knows the names that it gives to failures without a code', () => {
    for (const name of ['load-failed', 'start-failed', 'save-never-ended'])
      expect(explainCode(name)).toEqual([explanationNamed(name)]);
  });

  it('says so when it does not know', () => {
    for (const text of ['VERR_TIMEOUT', '-9', '', 'nonsense', '1e9'])
      expect(() => explainCode(text)).toThrow(UsageError);
  });
});
