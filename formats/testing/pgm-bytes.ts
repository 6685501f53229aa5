/** Little-endian bytes, piece by piece. Deliberately naive, and shares nothing with the code under test. */
export class PgmBytes {
  #bytes = Buffer.alloc(256);
  #size = 0;

  u8(value: number): this {
    const at = this.#reserve(1);
    this.#bytes[at] = value;
    return this;
  }
  u16(value: number): this {
    const at = this.#reserve(2);
    this.#bytes.writeUInt16LE(value, at);
    return this;
  }
  u32(value: number): this {
    const at = this.#reserve(4);
    this.#bytes.writeUInt32LE(value, at);
    return this;
  }
  u64(value: number | bigint): this {
    const at = this.#reserve(8);
    this.#bytes.writeBigUInt64LE(BigInt(value), at);
    return this;
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
    const at = this.#reserve(bytes.length);
    this.#bytes.set(bytes, at);
    return this;
  }
  zeros(count: number): this {
    this.#reserve(count);
    return this;
  }
  done(): Uint8Array {
    return new Uint8Array(this.#bytes.subarray(0, this.#size));
  }

  /** @returns where the next bytes stand, zeros yet */
  #reserve(count: number): number {
    const at = this.#size;
    this.#size += count;
    if (this.#size > this.#bytes.length) this.#bytes = Buffer.concat([this.#bytes], 2 * this.#size);
    return at;
  }
}
