/**
 * Looks up pages in an ELF core of VirtualBox, read the naive way: the 4096 bytes at a guest-physical address;
 * undefined where it has none.
 */
export function readElfCore(core: Buffer): (address: number) => Buffer | undefined {
  const table = Number(core.readBigUInt64LE(32));
  const count = core.readUInt16LE(56);
  const ranges: { address: number; offset: number; size: number }[] = [];
  for (let i = 0; i < count; i++) {
    const at = table + i * 56;
    if (core.readUInt32LE(at) !== 1) continue;
    ranges.push({
      offset: Number(core.readBigUInt64LE(at + 8)),
      address: Number(core.readBigUInt64LE(at + 24)),
      size: Number(core.readBigUInt64LE(at + 32)),
    });
  }
  return (address) => {
    const range = ranges.find((own) => address >= own.address && address + 4096 <= own.address + own.size);
    return range
      ? core.subarray(range.offset + address - range.address, range.offset + address - range.address + 4096)
      : undefined;
  };
}
