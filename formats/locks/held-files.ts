import type { BigIntStats } from 'node:fs';

// A file that is being read must not be overwritten, whatever name of it is given for the output.

const held = new Map<string, { name: string; holds: number }>();

/** Notes that a file is being read. @returns function that ends the note */
export function holdFile(stat: BigIntStats, name: string): () => void {
  const key = keyOf(stat);
  const file = held.get(key) ?? { name, holds: 0 };
  file.holds++;
  held.set(key, file);
  let isHeld = true;
  return () => {
    if (isHeld && --file.holds === 0) held.delete(key);
    isHeld = false;
  };
}

/** The name under which a file is being read; undefined if it is not being read. */
export function nameOfHeldFile(stat: BigIntStats): string | undefined {
  return held.get(keyOf(stat))?.name;
}

function keyOf({ dev, ino }: BigIntStats): string {
  return `${dev} ${ino}`;
}
