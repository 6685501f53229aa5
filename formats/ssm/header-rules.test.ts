import { expect, it } from 'vitest';
import { unitName } from './header-rules.ts';

it('unitName() has a character for each byte, in every Node', () => {
  const bytes = Uint8Array.from({ length: 256 }, (_, i) => i);
  const name = unitName(Uint8Array.of(...bytes, 0));
  expect([...name].map((character) => character.charCodeAt(0))).toEqual([...bytes]);
  expect(unitName(new Uint8Array(0))).toBe('');
});
