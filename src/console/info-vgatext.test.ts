import { describe, expect, it } from 'vitest';
import { bufferSource } from '../../formats/files/source.ts';
import { vgaCodec } from '../../formats/units/display/codecs.ts';
import { offsetInChunk } from '../gmm/page-id.ts';
import { loadState } from '../machine/load.ts';
import { realState } from '../saved-state/check/testing/real-machines.ts';
import { naiveUnits } from '../testing/naive-units.ts';
import { joinUnits, splitUnits } from '../testing/state-surgery.ts';
import { Console } from './console.ts';

/** A machine with graphics whose registers are as a BIOS sets them for 80 × 25 characters. */
async function textMachine() {
  const state = realState('vga8');
  const unit = naiveUnits(state).find(({ name }) => name === 'vga');
  const vga = vgaCodec.decode(unit?.payload ?? Buffer.alloc(0), 34);
  vga.crtc.set(Buffer.from('5f4f50825581bf1f004f0d0e00000000' + '9c8e8f281f96b9a3ff', 'hex'));
  vga.graphics[6] = 0x0e;
  const payload = vgaCodec.encode(vga, 34);
  const units = splitUnits(state).map((each) =>
    each.name === 'vga' ? { name: 'vga', instance: 0, version: 34, payload } : each,
  );
  const machine = await loadState(bufferSource(joinUnits(units, state)));
  // The memory of these states is that of a machine without graphics.
  machine.memory.mmio2.register({ device: 'vga', instance: 0, region: 0, size: 2 ** 20, description: 'VRam' });
  return machine;
}

describe('info vgatext', () => {
  it('prints the screen as it is now, framed as 7.2.22 does', async () => {
    const machine = await textMachine();
    const console = new Console(machine);
    const [id] = machine.memory.mmio2.get('vga', 0, 0).pageId;
    const memory = machine.memory.pages.backing.chunkBytes(id);
    for (const [i, byte] of [...Buffer.from('login:')].entries()) memory[offsetInChunk(id) + 8 * i] = byte;
    const { text, rows, error } = await console.run('info vgatext');
    expect(error).toBeUndefined();
    const lines = text.split('\n');
    expect(lines[0]).toBe('------------------------------------ 80x25 -------------------------------------');
    expect(lines[1]).toBe('login:'.padEnd(80));
    expect([lines.length, lines[26]]).toEqual([27, '-'.repeat(80)]);
    expect(rows).toMatchObject([{ columns: 80, rows: 25 }]);
  });

  it('says so where the machine has no graphics', async () => {
    const console = new Console(await loadState(bufferSource(realState('uart1'))));
    expect((await console.run('info vgatext')).text).toContain('There is no text screen: the machine has no graphics');
  });
});
