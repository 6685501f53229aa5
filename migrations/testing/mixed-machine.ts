import { PlainMachine } from './plain-machine.ts';

/** A machine with pages of all kinds: zeros, text, noise, few values, copies. */
export function mixedMachine(pages = 2000): PlainMachine {
  const machine = new PlainMachine(pages);
  let seed = 1;
  for (let page = 0; page < pages; page++) {
    const kind = page % 5;
    for (let i = 0; i < 4096 && kind !== 0; i++) {
      seed = (Math.imul(seed, 1103515245) + 12345) >>> 0;
      machine.memory[page * 4096 + i] = kind === 1 ? 65 + (i % 7) : kind === 2 ? seed >>> 24 : kind === 3 ? 97 + ((seed >>> 20) % 3) : page & 7;
    }
  }
  return machine;
}
