import type { ByteSource } from '../../../formats/files/source.ts';
import { MIB, PAGE_SIZE } from '../../../formats/sizes.ts';
import type { Vga } from '../../../formats/units/display/codecs.ts';
import type { Machine } from '../../machine/machine.ts';
import { PageType } from '../../pgm/pages/page-states.ts';
import { extract } from '../../saved-state/extract/extract.ts';
import { VIDEO_MEMORY } from '../guest-image.ts';
import { Memory } from '../memory-target.ts';
import { isText, textToVirtualBox } from '../video-memory.ts';

/**
 * Puts QEMU's RAM and video memory into a machine.
 * @param vga section of QEMU's adapter @returns number of RAM pages that have changed
 */
export async function takeMemory(
  stream: ByteSource,
  machine: Machine,
  vga: Vga | undefined,
  signal?: AbortSignal,
): Promise<number> {
  const pages = await takeRam(stream, machine, signal);
  if (vga) await takeVideo(stream, machine, vga, signal);
  return pages;
}

async function takeRam(stream: ByteSource, machine: Machine, signal?: AbortSignal): Promise<number> {
  const ram = new Memory();
  await extract(stream, ram, { signal, format: 'sparse' });
  const own = new Uint8Array(PAGE_SIZE);
  let pages = 0;
  for (const { kind, start, end, type } of machine.memory.ranges.all) {
    if (kind !== 'ram') continue;
    for (let gcPhys = start; gcPhys < end; gcPhys += PAGE_SIZE) {
      if (type[(gcPhys - start) / PAGE_SIZE] !== PageType.RAM) continue;
      const theirs = ram.at(gcPhys, PAGE_SIZE);
      machine.memory.read(gcPhys, own, 'device');
      if (Buffer.compare(own, theirs) === 0) continue;
      machine.memory.write(gcPhys, theirs, 'device');
      pages++;
    }
  }
  return pages;
}

async function takeVideo(stream: ByteSource, machine: Machine, vga: Vga, signal?: AbortSignal): Promise<void> {
  const range = machine.memory.mmio2.all.find(({ description }) => description === VIDEO_MEMORY);
  if (!range) return;
  const video = new Memory();
  await extract(stream, video, { signal, format: 'sparse', mmio2: '0000:00:02.0/vga.vram' });
  const bytes = video.at(0, range.pages * PAGE_SIZE).slice();
  if (isText(vga)) textToVirtualBox(bytes.subarray(0, MIB));
  const { backing } = machine.memory.pages;
  for (let page = 0; page < range.pages; page++)
    backing.pageBytes(range.pageId[page]).set(bytes.subarray(page * PAGE_SIZE, (page + 1) * PAGE_SIZE));
}
