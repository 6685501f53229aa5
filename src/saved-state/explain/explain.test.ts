import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { describe, expect, it } from 'vitest';
import { UsageError } from '../../../formats/errors.ts';
import { CODES } from './codes.ts';
import { explainCode, explainLog, isKnownCode } from './explain.ts';
import { KINDS } from './kinds.ts';

const root = fileURLToPath(new URL('../../../', import.meta.url));

function sources(folder: string): string[] {
  return readdirSync(folder, { recursive: true, encoding: 'utf8' })
    .filter((file) => file.endsWith('.ts') && !file.endsWith('.test.ts') && !file.includes('testing'))
    .map((file) => join(folder, file));
}

describe('the list of codes', () => {
  it('knows every code that savkit names', () => {
    const named = ['formats', 'src', 'migrations', 'cli'].flatMap((folder) => sources(join(root, folder)));
    const codes = new Set(named.flatMap((file) => readFileSync(file, 'utf8').match(/\bVERR_(?:SSM|SMM|PGM)_[A-Z0-9_]*[A-Z0-9]\b/g) ?? []));
    expect(codes.size).toBeGreaterThan(30);
    // The start of several, put together where they are named.
    codes.delete('VERR_PGM_SAVED');
    expect([...codes].filter((code) => !isKnownCode(code))).toEqual([]);
  });

  it('has the numbers of the format notes, each once', () => {
    const numbers = CODES.flatMap(({ number }) => (number === undefined ? [] : [number]));
    expect(new Set(numbers).size).toBe(numbers.length);
    // The families, from the first to the last that the notes tell.
    const between = (first: number, last: number) => numbers.filter((number) => number <= first && number >= last).length;
    expect(between(-1800, -1802)).toBe(3);
    expect(between(-1810, -1827)).toBe(18);
    expect(between(-1830, -1833)).toBe(4);
    expect(between(-1840, -1850)).toBe(9);
    expect(between(-1853, -1863)).toBe(10);
    expect(between(-1871, -1875)).toBe(5);
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
    for (const text of ['-1844', '1844', '−1844']) expect(explainCode(text)).toMatchObject([{ name: 'VERR_SSM_LOAD_CONFIG_MISMATCH' }]);
    expect(explainCode('-22')).toMatchObject([{ name: 'VERR_WRONG_ORDER' }]);
  });

  it('gives both meanings of a number that VirtualBox 3.0 used for another code', () => {
    expect(explainCode('-1824')).toMatchObject([
      { name: 'VERR_SSM_INTEGRITY_REC_TERM_CRC' },
      { name: 'VERR_SSM_DATA_UNIT_FORMAT_CHANGED', number: -1824, onlyIn30: true },
    ]);
  });

  it('says so when it does not know', () => {
    for (const text of ['VERR_NO_MEMORY', '-8', '', 'nonsense', '1e9']) expect(() => explainCode(text)).toThrow(UsageError);
  });
});

/** As 7.2.22 wrote them. */
const NO_FLOPPY = `00:00:00.343236 SSM: File header: Format 2.0, VirtualBox Version 7.2.22 r175245, 64-bit host, cbGCPhys=8, cbGCPtr=8
00:00:00.350000 VMSetError: /build/src/VBox/VMM/VMMR3/SSMR3.cpp(9211) int ssmR3LoadExecV2(PVM, PSSMHANDLE); rc=VERR_SSM_INTEGRITY_UNIT_NOT_FOUND
00:00:00.350001 VMSetError: Found no handler for unit 'i82078' instance #0
00:00:00.360000 Changing the VM state from 'LOADING' to 'LOAD_FAILURE'`;
const OTHER_HOLE = `00:00:00.586341 VMSetError: /build/src/VBox/VMM/VMMR3/PGMR3SavedState.cpp(1330) int pgmR3LoadRamConfig(PVM, PSSMHANDLE); rc=VERR_SSM_LOAD_CONFIG_MISMATCH
00:00:00.586345 VMSetError: pgm#1: Ram config mismatch: saved=1000000/20000000 config=1000000/24000000 (RAM/Hole) [ver=14 pass=#0]
00:00:00.586352 SSM: LoadExec failed for 'pgm' instance #1 (version 14, pass 0x0): VERR_SSM_LOAD_CONFIG_MISMATCH
00:00:00.586354 SSM: Unit at 0xed8, current position: offUnit=0x17e offUnitUser=0xc
00:00:00.588014 SSM: offCur=0x47225 fEndOfData=1 (rc=VERR_SSM_LOADED_TOO_MUCH)`;

describe('explainLog()', () => {
  it('names unit, instance, version and pass, with VirtualBox’s words', () => {
    const [first, ...consequences] = explainLog(OTHER_HOLE);
    expect(first).toMatchObject({ unit: 'pgm', instance: 1, version: 14, pass: '0', lines: [1, 2, 3], explanation: { name: 'VERR_SSM_LOAD_CONFIG_MISMATCH' } });
    expect(first.messages).toEqual(['pgm#1: Ram config mismatch: saved=1000000/20000000 config=1000000/24000000 (RAM/Hole) [ver=14 pass=#0]']);
    expect(consequences.map(({ explanation }) => explanation.name)).toEqual(['VERR_SSM_LOADED_TOO_MUCH']);
  });

  it('names the unit that the machine has no device for', () => {
    const findings = explainLog(NO_FLOPPY);
    expect(findings).toMatchObject([{ unit: 'i82078', instance: 0, explanation: { name: 'VERR_SSM_INTEGRITY_UNIT_NOT_FOUND' } }]);
    expect(findings[0].messages).toEqual(["Found no handler for unit 'i82078' instance #0"]);
  });

  it('finds numbers, too, and nothing in a log without failures', () => {
    expect(explainLog('00:01 SSM: load failed, rc=-1843')).toMatchObject([{ explanation: { name: 'VERR_SSM_LOAD_MEMORY_SIZE_MISMATCH' } }]);
    expect(explainLog('00:01 SSM: File header: Format 2.0\n00:02 VUSB: VERR_EOF\n')).toEqual([]);
    expect(explainLog('')).toEqual([]);
  });
});
