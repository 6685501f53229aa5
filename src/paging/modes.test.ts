import { describe, expect, test } from 'vitest';
import {
  HOST_MODES,
  MODE_NAMES,
  type PagingMode,
  pagingModeName,
  pagingModeOf,
  pagingTypeOf,
  type ShadowMode,
} from './modes.ts';
import { shadowModeFor } from './shadow-mode.ts';

/** The table of paging.md 1.2, row by row: guest; shadow and switcher on a 32-bit, PAE and AMD64 host. */
const TABLE = `
  real       32-bit 32_TO_32    pae PAE_TO_PAE     pae AMD64_TO_PAE
  protected  32-bit 32_TO_32    pae PAE_TO_PAE     pae AMD64_TO_PAE
  32-bit     32-bit 32_TO_32    pae PAE_TO_PAE     pae AMD64_TO_PAE
  pae        pae 32_TO_PAE      pae PAE_TO_PAE     pae AMD64_TO_PAE
  pae-nx     pae 32_TO_PAE      pae PAE_TO_PAE     pae AMD64_TO_PAE
  amd64      amd64 32_TO_AMD64  amd64 PAE_TO_AMD64 amd64 AMD64_TO_AMD64
  amd64-nx   amd64 32_TO_AMD64  amd64 PAE_TO_AMD64 amd64 AMD64_TO_AMD64`;
const ROWS = TABLE.trim()
  .split('\n')
  .map((line) => line.trim().split(/\s+/));
const SHADOWS: (ShadowMode | undefined)[] = [
  undefined,
  '32-bit',
  'pae',
  'pae-nx',
  'amd64',
  'amd64-nx',
  'nested',
  'ept',
];
const column = (host: string) => (host.startsWith('32') ? 1 : host.startsWith('PAE') ? 3 : 5);

describe('shadow modes', () => {
  test('all guests × hosts × current shadow modes × hardware × nested paging', () => {
    for (const [guest, ...rest] of ROWS) {
      for (const host of HOST_MODES) {
        for (const current of SHADOWS) {
          for (const hardware of [false, true]) {
            for (const nestedPaging of [undefined, 'nested', 'ept'] as const) {
              const [shadow, switcher] = [rest[column(host) - 1], rest[column(host)]];
              const stays = (guest === 'real' || guest === 'protected') && current && !hardware;
              const expected = {
                shadow: nestedPaging ?? (stays ? current : shadow),
                switcher: stays ? undefined : switcher,
              };
              expect(shadowModeFor(guest as PagingMode, { host, hardware, nestedPaging }, current)).toEqual(expected);
            }
          }
        }
      }
    }
  });

  test('only guests without paging depend on the current shadow mode', () => {
    for (const [guest] of ROWS) {
      const outcomes = new Set(
        SHADOWS.map((current) =>
          JSON.stringify(shadowModeFor(guest as PagingMode, { host: 'AMD64+NX', hardware: false }, current)),
        ),
      );
      expect(outcomes.size > 1).toBe(guest === 'real' || guest === 'protected');
    }
  });
});

describe('guest modes', () => {
  const [PE, PG, PAE, LME, LMA, NXE] = [1n, 1n << 31n, 1n << 5n, 1n << 8n, 1n << 10n, 1n << 11n];

  test.each([
    ['real', PG, PAE, LME | NXE],
    ['protected', PE, PAE, LME | NXE],
    ['32-bit', PE | PG, 0n, LME | NXE],
    ['pae', PE | PG, PAE, LMA],
    ['pae-nx', PE | PG, PAE, NXE],
    ['amd64', PE | PG, PAE, LME],
    ['amd64-nx', PE | PG, PAE, LME | LMA | NXE],
  ] as const)('%s: the first test that hits decides', (mode, cr0, cr4, efer) => {
    expect(pagingModeOf({ cr0, cr4, efer })).toBe(mode);
  });

  test('have VirtualBox’s numbers, names and types', () => {
    expect([0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10].map(pagingModeName)).toEqual([
      undefined,
      'real',
      'protected',
      '32-bit',
      'pae',
      'pae-nx',
      'amd64',
      'amd64-nx',
      undefined,
      undefined,
      undefined,
    ]);
    expect(MODE_NAMES['amd64-nx']).toBe('AMD64+NX');
    expect(pagingTypeOf('pae-nx')).toBe('pae');
    expect(pagingTypeOf('ept')).toBe('ept');
  });
});
