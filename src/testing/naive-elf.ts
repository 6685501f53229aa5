/** A segment of a core that holds memory. */
export interface NaiveSegment {
  vaddr: bigint;
  paddr: number;
  offset: number;
  fileSize: number;
  memorySize: number;
}

export interface NaiveNote {
  name: string;
  type: number;
  contents: Buffer;
}

/** An ELF64 core, read the naive way: offsets by hand, nothing shared with what writes cores. */
export class NaiveElf {
  readonly bytes: Buffer;
  readonly segments: NaiveSegment[] = [];
  readonly notes: NaiveNote[] = [];

  constructor(bytes: Uint8Array) {
    this.bytes = Buffer.from(bytes.buffer, bytes.byteOffset, bytes.length);
    const u64 = (at: number) => Number(this.bytes.readBigUInt64LE(at));
    for (let i = 0; i < this.bytes.readUInt16LE(56); i++) {
      const at = u64(32) + 56 * i;
      const type = this.bytes.readUInt32LE(at);
      if (type === 4) this.#readNotes(u64(at + 8), u64(at + 32));
      if (type !== 1) continue;
      const vaddr = this.bytes.readBigUInt64LE(at + 16);
      this.segments.push({
        offset: u64(at + 8),
        vaddr,
        paddr: u64(at + 24),
        fileSize: u64(at + 32),
        memorySize: u64(at + 40),
      });
    }
  }

  /** Bytes at a virtual address, in the first segment that has it; undefined where none has. */
  atVirtual(address: bigint, size: number): Buffer | undefined {
    const segment = this.segments.find(
      ({ vaddr, fileSize }) => address >= vaddr && address + BigInt(size) <= vaddr + BigInt(fileSize),
    );
    const from = segment ? segment.offset + Number(address - segment.vaddr) : 0;
    return segment && this.bytes.subarray(from, from + size);
  }

  /**
   * Bytes at a guest-physical address, looked up as Volatility 3 does: in the last segment that starts at it or before.
   */
  atPhysical(address: number, size: number): Buffer | undefined {
    const segment = this.segments.filter(({ paddr }) => paddr <= address).at(-1);
    if (!segment || address + size > segment.paddr + segment.fileSize) return undefined;
    const from = segment.offset + address - segment.paddr;
    return this.bytes.subarray(from, from + size);
  }

  #readNotes(start: number, size: number): void {
    for (let at = start; at < start + size; ) {
      const [nameSize, contentsSize, type] = [0, 4, 8].map((field) => this.bytes.readUInt32LE(at + field));
      const contentsAt = at + 12 + 4 * Math.ceil(nameSize / 4);
      const name = this.bytes.toString('latin1', at + 12, at + 12 + nameSize - 1);
      this.notes.push({ name, type, contents: this.bytes.subarray(contentsAt, contentsAt + contentsSize) });
      at = contentsAt + 4 * Math.ceil(contentsSize / 4);
    }
  }
}
