import type { BigIntStats } from 'node:fs';

// A file that is being read must not be overwritten, whatever its name: one file may have many.

const held = new Map<string, { name: string; holds: number }>();

/** Notes that a file is being read. @returns a function that ends this */
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

/** The name under which a file is being read; undefined where it is not. */
export function nameOfHeldFile(stat: BigIntStats): string | undefined {
  return held.get(keyOf(stat))?.name;
}

function keyOf({ dev, ino }: BigIntStats): string {
  return `${dev} ${ino}`;
}
