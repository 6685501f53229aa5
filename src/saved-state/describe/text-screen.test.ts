import { describe, expect, it } from 'vitest';
import { vgaCodec } from '../../../formats/units/display/codecs.ts';
import { naiveUnits } from '../../testing/naive-units.ts';
import { realState } from '../check/testing/real-machines.ts';
import { CODE_PAGE_437 } from './code-page-437.ts';
import { screenOf } from './text-screen.ts';

const unit = naiveUnits(realState('vga8')).find(({ name }) => name === 'vga');

/** The registers of a real adapter; with those of the CRT controller as a BIOS sets them for 80 × 25 characters. */
function adapter() {
  const vga = vgaCodec.decode(unit?.payload ?? Buffer.alloc(0), 34);
  vga.crtc.set(Buffer.from('5f4f50825581bf1f004f0d0e00000000' + '9c8e8f281f96b9a3ff', 'hex'));
  vga.graphics[6] = 0x0e;
  return vga;
}

/** As the guest writes at 0xB8000: a character and its attribute, in two planes of a memory of four. */
function memoryWith(at: number, bytes: readonly number[]): Uint8Array {
  const memory = new Uint8Array(0x40000);
  for (const [i, byte] of bytes.entries()) memory.set([byte, 0x07], 8 * (at + i));
  return memory;
}

describe('screenOf()', () => {
  it('tells rows, columns, characters and the cursor', () => {
    const vga = adapter();
    vga.crtc[0x0f] = 80 + 5;
    const screen = screenOf(vga, memoryWith(80 + 2, [...Buffer.from('login:'), 0xdb]));
    expect(screen).toMatchObject({ columns: 80, rows: 25, cursor: { column: 5, row: 1 } });
    expect([screen.lines.length, screen.lines[0], screen.lines[1]]).toEqual([25, '', '  login:█']);
  });

  it('follows a screen that was scrolled by its start, over the end of the memory', () => {
    const vga = adapter();
    [vga.crtc[0x0c], vga.crtc[0x0d]] = [0x7f, 0xff];
    const memory = memoryWith(0x7fff, [0x41]);
    memory[0] = 0x42;
    expect(screenOf(vga, memory).lines[0]).toBe('AB');
  });

  it('hides a cursor that is off or elsewhere', () => {
    const vga = adapter();
    vga.crtc[0x0a] = 0x20;
    expect(screenOf(vga, memoryWith(0, [])).cursor).toBeUndefined();
    vga.crtc[0x0a] = 0;
    vga.crtc[0x0e] = 0xff;
    expect(screenOf(vga, memoryWith(0, [])).cursor).toBeUndefined();
  });

  it('says so where there is no text', () => {
    const graphics = adapter();
    graphics.graphics[6] |= 1;
    const untouched = adapter();
    untouched.crtc.fill(0);
    for (const vga of [graphics, untouched])
      expect(() => screenOf(vga, new Uint8Array(0x40000))).toThrow(expect.objectContaining({ code: 'no-text-screen' }));
  });

  it('has 256 characters', () => {
    expect([CODE_PAGE_437.length, CODE_PAGE_437[0x41], CODE_PAGE_437[0xe1]]).toEqual([256, 'A', 'ß']);
  });
});
