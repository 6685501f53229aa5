import { closeSync, openSync, readSync } from 'node:fs';
import { setTimeout } from 'node:timers/promises';

/** Pages that differ between two files. */
export function differingPages(here: string, there: string): number {
  const [one, other] = [openSync(here, 'r'), openSync(there, 'r')];
  const [a, b] = [Buffer.alloc(1 << 20), Buffer.alloc(1 << 20)];
  let differing = 0;
  for (let at = 0; ; at += a.length) {
    const size = readSync(one, a, 0, a.length, at);
    if (readSync(other, b, 0, b.length, at) !== size) differing++;
    if (size === 0) break;
    for (let page = 0; page < size; page += 4096)
      if (a.compare(b, page, page + 4096, page, page + 4096) !== 0) differing++;
  }
  closeSync(one);
  closeSync(other);
  return differing;
}

/** Whether a bare guest counts on; its counter stands at 0x1000. */
export async function goesOn(ram: string): Promise<boolean> {
  const fd = openSync(ram, 'r');
  const counter = Buffer.alloc(8);
  const read = () => {
    readSync(fd, counter, 0, 8, 0x1000);
    return counter.readBigUInt64LE();
  };
  const before = read();
  await setTimeout(500);
  const after = read();
  closeSync(fd);
  return after > before;
}
