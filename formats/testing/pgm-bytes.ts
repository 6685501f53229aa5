/** Little-endian bytes, piece by piece. Deliberately naive, and shares nothing with what it is there to test. */
export class PgmBytes {
  readonly #parts: Buffer[] = [];

  u8(value: number): this {
    return this.raw(Buffer.of(value));
  }
  u16(value: number): this {
    const part = Buffer.alloc(2);
    part.writeUInt16LE(value);
    return this.raw(part);
  }
  u32(value: number): this {
    const part = Buffer.alloc(4);
    part.writeUInt32LE(value);
    return this.raw(part);
  }
  u64(value: number | bigint): this {
    const part = Buffer.alloc(8);
    part.writeBigUInt64LE(BigInt(value));
    return this.raw(part);
  }
  /** An address of 4 or 8 bytes. */
  address(value: number | bigint, width: 4 | 8): this {
    return width === 8 ? this.u64(value) : this.u32(Number(BigInt(value) & 0xffffffffn));
  }
  /** `u32` length and the text. */
  text(value: string): this {
    const encoded = Buffer.from(value, 'utf8');
    return this.u32(encoded.length).raw(encoded);
  }
  raw(bytes: Uint8Array): this {
    this.#parts.push(Buffer.from(bytes));
    return this;
  }
  zeros(count: number): this {
    return this.raw(Buffer.alloc(count));
  }
  done(): Uint8Array {
    return new Uint8Array(Buffer.concat(this.#parts));
  }
}
