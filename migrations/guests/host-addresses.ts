// The addresses in QEMU's own memory at which its guest's memory is. Only QEMU's monitor for people tells them, and not
// in the same way in each version.

/** `info ramblock`, from QEMU 8 on: name, page size, three figures, address, rights. */
const BLOCK_ROW = /^\s*(\S+)\s+\d+ \w+(?:\s+0x[0-9a-f]+){3}\s+0x([0-9a-f]+)\s+r[ow]\s*$/gm;
/** `info mtree -f`: where the guest sees memory, its name, and from which of its bytes on. */
const STRETCH_ROW = /^\s*([0-9a-f]{16})-[0-9a-f]{16} \(prio -?\d+, ram\): (\S+)(?: @([0-9a-f]{16}))?/gm;
const ADDRESS = /^Host virtual address for \S+ \((.+)\) is 0x([0-9a-f]+)/;

/** Has QEMU carry out a command of the monitor for people; gives what that prints. */
export type Monitor = (line: string) => Promise<string>;

/** @returns tells the address of a memory by its name; undefined for what QEMU does not tell */
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
