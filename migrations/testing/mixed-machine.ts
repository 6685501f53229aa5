import { PlainMachine } from './plain-machine.ts';

const contents = new Map<number, Uint8Array>();

/** A machine with pages of all kinds: zeros, text, noise, few values, copies. */
export function mixedMachine(pages = 2000): PlainMachine {
  const machine = new PlainMachine(pages);
  const content = contents.get(pages) ?? mixedContent(pages);
  contents.set(pages, content);
  machine.memory.set(content);
  return machine;
}

function mixedContent(pages: number): Uint8Array {
  const memory = new Uint8Array(pages * 4096);
  let seed = 1;
  for (let page = 0; page < pages; page++) {
    const kind = page % 5;
    for (let i = 0; i < 4096 && kind !== 0; i++) {
      seed = (Math.imul(seed, 1103515245) + 12345) >>> 0;
      memory[page * 4096 + i] =
        kind === 1 ? 65 + (i % 7) : kind === 2 ? seed >>> 24 : kind === 3 ? 97 + ((seed >>> 20) % 3) : page & 7;
    }
  }
  return memory;
}
