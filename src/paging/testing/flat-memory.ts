import type { AddressSpaceMemory } from '../address-space.ts';

/** Guest-physical memory as one array; beyond its end, and in holes, there is none: reads give ones. */
export class FlatMemory implements AddressSpaceMemory {
  readonly bytes: Uint8Array;
  /** `[start, end)` without memory. */
  readonly holes: [number, number][] = [];
  readonly #view: DataView;

  constructor(bytes: Uint8Array) {
    this.bytes = bytes;
    this.#view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  }

  holdsTables(gcPhys: number): boolean {
    return gcPhys < this.bytes.length && !this.holes.some(([start, end]) => gcPhys >= start && gcPhys < end);
  }

  read(gcPhys: number, target: Uint8Array): void {
    target.fill(0xff);
    if (this.holdsTables(gcPhys)) target.set(this.bytes.subarray(gcPhys, gcPhys + target.length));
  }

  write(gcPhys: number, source: Uint8Array): void {
    if (this.holdsTables(gcPhys)) this.bytes.set(source.subarray(0, this.bytes.length - gcPhys), gcPhys);
  }

  readU32(gcPhys: number): number {
    return this.holdsTables(gcPhys) ? this.#view.getUint32(gcPhys, true) : 0xffffffff;
  }

  writeU32(gcPhys: number, value: number): void {
    if (this.holdsTables(gcPhys)) this.#view.setUint32(gcPhys, value, true);
  }

  writeU64(gcPhys: number, value: bigint): void {
    this.#view.setBigUint64(gcPhys, value, true);
  }
}
