// Addresses of guest memory in QEMU's process. Only QEMU's human monitor tells them, in ways that differ between
// versions.

/** `info ramblock`, from QEMU 8 on: name, page size, three figures, address, rights. */
const BLOCK_ROW = /^\s*(\S+)\s+\d+ \w+(?:\s+0x[0-9a-f]+){3}\s+0x([0-9a-f]+)\s+r[ow]\s*$/gm;
/** `info mtree -f`: guest-physical range, name, and offset within the block. */
const STRETCH_ROW = /^\s*([0-9a-f]{16})-[0-9a-f]{16} \(prio -?\d+, ram\): (\S+)(?: @([0-9a-f]{16}))?/gm;
const ADDRESS = /^Host virtual address for \S+ \((.+)\) is 0x([0-9a-f]+)/;

/** Runs a command of QEMU's human monitor; gives its output. */
export type Monitor = (line: string) => Promise<string>;

/** @returns a function that gives the address of a block by its name; undefined if QEMU does not tell it */
export async function hostAddresses(hmp: Monitor): Promise<(id: string) => Promise<number | undefined>> {
  const rows = [...(await hmp('info ramblock')).matchAll(BLOCK_ROW)];
  const told = new Map(rows.map(([, name, address]) => [name, Number.parseInt(address, 16)]));
  if (told.size > 0) return async (id) => told.get(id);
  const stretches = [...(await hmp('info mtree -f')).matchAll(STRETCH_ROW)];
  return async (id) => {
    const [, guestAddress, , from = '0'] = stretches.find(([, , name]) => name === id) ?? [];
    if (guestAddress === undefined) return undefined;
    const [, name, address] = ADDRESS.exec(await hmp(`gpa2hva 0x${guestAddress}`)) ?? [];
    return name === id ? Number.parseInt(address, 16) - Number.parseInt(from, 16) : undefined;
  };
}
