import { describe, expect, test } from 'vitest';
import { specTable } from '../testing/spec-tables.ts';
import { HOST_MODES, type PagingMode, pagingTypeOf } from './modes.ts';
import { shadowModeFor } from './shadow-mode.ts';

const HOSTS = ['32-bit', 'PAE', 'AMD64'];
const MODES: Readonly<Record<string, PagingMode>> = {
  real: 'real',
  protected: 'protected',
  '32-bit': '32-bit',
  PAE: 'pae',
  'PAE+NX': 'pae-nx',
  AMD64: 'amd64',
  'AMD64+NX': 'amd64-nx',
};

/** Guest modes × hosts of paging.md 1.2. */
const ROWS = specTable('paging.md', '1.2', 'guest').flatMap(([guests, ...choices]) =>
  guests.split(', ').flatMap((guest) => choices.map((choice, i) => [guest, HOSTS[i], choice] as const)),
);

describe('the shadow mode is that of the table in paging.md', () => {
  test('which has a row for each mode of guests', () => {
    expect([...new Set(ROWS.map(([guest]) => MODES[guest]))]).toEqual(Object.values(MODES));
  });

  test.each(ROWS)('guest %s on a %s host: %s', (guest, host, choice) => {
    const [shadow, switcher] = choice.split(', ');
    for (const mode of HOST_MODES.filter((each) => each.split('+')[0] === host)) {
      const found = shadowModeFor(MODES[guest], { host: mode, hardware: true });
      expect([pagingTypeOf(found.shadow).toUpperCase(), found.switcher]).toEqual([shadow.toUpperCase(), switcher]);
      // Nested paging has its own mode; the switcher stays.
      for (const nestedPaging of ['nested', 'ept'] as const)
        expect(shadowModeFor(MODES[guest], { host: mode, hardware: true, nestedPaging })).toEqual({
          shadow: nestedPaging,
          switcher,
        });
      // Without hardware virtualisation a guest without paging keeps what it has.
      const keeps = guest === 'real' || guest === 'protected';
      const raw = shadowModeFor(MODES[guest], { host: mode, hardware: false }, 'amd64');
      expect(raw).toEqual(keeps ? { shadow: 'amd64', switcher: undefined } : found);
    }
  });
});
