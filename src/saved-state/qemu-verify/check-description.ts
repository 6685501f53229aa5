import { type DescribedField, type DescribedPart, sizeOf } from '../../../formats/qemu/description.ts';
import type { QemuState } from '../qemu/qemu-state.ts';
import type { Findings } from '../reading/findings.ts';

/**
 * Checks a description for contradictions: sizes of structs against their parts, numbers of elements, versions of one
 * layout in several places. QEMU ignores the description, but savkit finds fields by it.
 */
export function checkDescription({ description }: QemuState, findings: Findings): void {
  const check = new DescriptionCheck(findings);
  for (const device of description?.devices ?? []) check.part(device, `${device.name} ${device.instance}`);
}

class DescriptionCheck {
  readonly #findings: Findings;
  /** Versions of layouts, by name of the layout. */
  readonly #versions = new Map<string, number>();

  constructor(findings: Findings) {
    this.#findings = findings;
  }

  part({ fields, subsections }: DescribedPart, where: string): void {
    /** By name of an array: the expected number of its next element. */
    const next = new Map<string, number>();
    for (const field of fields) {
      this.#element(field, next, where);
      if (field.struct) this.#struct(field, field.struct, `${where} ${field.name}`);
    }
    for (const part of subsections) this.part(part, `${where} ${part.name}`);
  }

  #element({ name, index, count }: DescribedField, next: Map<string, number>, where: string): void {
    if (index === undefined) return;
    const array = name.replace(/\[\d+\]$/, '');
    const expected = next.get(array) ?? 0;
    if (index !== expected) this.#tell(`${where} ${name} has the number ${index}, expected ${expected}`);
    next.set(array, index + count);
  }

  #struct({ size }: DescribedField, struct: DescribedPart, where: string): void {
    const parts = sizeOf(struct);
    if (parts !== size) {
      const message = `The description contradicts itself: ${where} has ${size} bytes, its parts have ${parts}`;
      this.#findings.add({ severity: 'error', code: 'bad-description', message, place: {} });
    }
    this.#version(struct, where);
    this.part(struct, where);
  }

  #version({ layout, version }: DescribedPart, where: string): void {
    if (layout === undefined || version === undefined) return;
    const other = this.#versions.get(layout) ?? version;
    this.#versions.set(layout, version);
    if (other !== version) this.#tell(`${where} is ${layout} of version ${version}, elsewhere of version ${other}`);
  }

  #tell(what: string): void {
    this.#findings.warn('bad-description', `The description contradicts itself: ${what}; QEMU does not look at it`);
  }
}
