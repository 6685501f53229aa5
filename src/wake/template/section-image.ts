import { hex, UnsupportedError } from '../../../formats/errors.ts';
import { type DeviceField, fieldsOf } from '../../../formats/qemu/device-fields.ts';
import type { DeviceSection } from '../../../formats/qemu/device-sections.ts';

/** Value of a field: a number of up to 64 bits, or bytes. */
export type FieldValue = bigint | Uint8Array;

/** Types of fields that are numbers; all others are bytes. */
const NUMBER = /^(u?int(8|16|32|64)|bool|timer)( |$)/;

/**
 * A device's section whose fields are read and written by their names in the stream's own description. Other fields
 * stay as QEMU wrote them.
 */
export class SectionImage {
  readonly section: DeviceSection;
  readonly #fields = new Map<string, DeviceField>();
  readonly #view: DataView;
  #ownersFound: Set<string> | undefined;

  /** @param section with its description. The bytes are changed in place */
  constructor(section: DeviceSection) {
    this.section = section;
    this.#view = new DataView(section.body.buffer, section.body.byteOffset, section.body.byteLength);
    if (section.described) for (const field of fieldsOf(section.described)) this.#add(field);
  }

  /** Adds a field; where several have one name, later ones are called `name#2` and so on. */
  #add(field: DeviceField): void {
    let path = field.path;
    for (let n = 2; this.#fields.has(path); n++) path = `${field.path}#${n}`;
    this.#fields.set(path, field);
  }

  /** `name instance`, for people. */
  get label(): string {
    return `${this.section.name} ${this.section.instance}`;
  }

  /** Whether the device has a field of this path, or fields below it. */
  has(path: string): boolean {
    return this.#fields.has(path) || this.#owners().has(path);
  }

  /** Paths of structures, which contain fields. */
  #owners(): ReadonlySet<string> {
    if (!this.#ownersFound) {
      this.#ownersFound = new Set();
      for (const path of this.#fields.keys())
        for (const { index } of path.matchAll(/[.[]/g)) this.#ownersFound.add(path.slice(0, index));
    }
    return this.#ownersFound;
  }

  /** Whether the section has an optional part (subsection) of this name, in the device or in a structure of it. */
  hasPart(name: string): boolean {
    for (const path of this.#fields.keys()) if (path.includes(`${name}.`)) return true;
    return false;
  }

  /** A number; two's complement where its type has a sign. @throws UnsupportedError `other-qemu` */
  number(path: string): bigint {
    const { type, offset, size } = this.#field(path);
    let value = 0n;
    for (let i = 0; i < size; i++)
      value = (value << 8n) | BigInt(this.#view.getUint8(this.#place(type, offset, size, i)));
    return type.startsWith('int') ? BigInt.asIntN(8 * size, value) : value;
  }

  /** Bytes of a field, or of an array of bytes: a copy. @throws UnsupportedError `other-qemu` */
  bytes(path: string): Uint8Array {
    const { offset, size } = this.#stretch(path);
    // `slice` of a Buffer would be no copy.
    return new Uint8Array(this.section.body.subarray(offset, offset + size));
  }

  /** @throws UnsupportedError where the device has no such field, or the value does not fit it */
  set(path: string, value: FieldValue): void {
    if (value instanceof Uint8Array) this.#setBytes(path, value);
    else this.#setNumber(path, value);
  }

  #setNumber(path: string, value: bigint): void {
    const { type, offset, size } = this.#field(path);
    if (!NUMBER.test(type)) throw this.#unfit(path, `is of type ${type}, expected a number`);
    if (BigInt.asUintN(8 * size, value) !== value && BigInt.asIntN(8 * size, value) !== value)
      throw this.#unfit(path, `has ${size} bytes, too few for ${hex(value)}`);
    let rest = BigInt.asUintN(8 * size, value);
    for (let i = size - 1; i >= 0; i--, rest >>= 8n)
      this.#view.setUint8(this.#place(type, offset, size, i), Number(rest & 0xffn));
  }

  #setBytes(path: string, value: Uint8Array): void {
    const { offset, size } = this.#stretch(path);
    if (size !== value.length) throw this.#unfit(path, `has ${size} bytes, expected ${value.length}`);
    this.section.body.set(value, offset);
  }

  /**
   * Offset of byte `i` of a number, counted from the highest: fields with "le" in their type have the host's byte
   * order.
   */
  #place(type: string, offset: number, size: number, i: number): number {
    return offset + (type.endsWith(' le') ? size - 1 - i : i);
  }

  /** A field of bytes, or elements of one byte that follow each other. */
  #stretch(path: string): { offset: number; size: number } {
    const whole = this.#fields.get(path);
    if (whole) return whole;
    const first = this.#field(`${path}[0]`);
    let count = 1;
    while (this.#fields.get(`${path}[${count}]`)?.offset === first.offset + count * first.size) count++;
    return { offset: first.offset, size: count * first.size };
  }

  #field(path: string): DeviceField {
    const field = this.#fields.get(path);
    if (!field) throw this.#unfit(path, 'is not there');
    return field;
  }

  #unfit(path: string, what: string): UnsupportedError {
    return new UnsupportedError(
      'other-qemu',
      `Cannot use this QEMU: field ${path} of its device ${this.label} ${what}; use another release`,
    );
  }
}
