import type { DeviceField } from '../../../formats/qemu/device-fields.ts';

/** Types of memory in MTRRs. */
const MEMORY_TYPES = [0, 1, 4, 5, 6];

/** Largest values that fields can have in any state of the device. */
const LIMITS: readonly [section: string, path: RegExp, most: bigint][] = [
  ['cpu', /^env\.(segs\[\d\]|ldt|tr)\.selector$/, 0xffffn],
  ['cpu', /^env\.(gdt|idt)\.limit$/, 0xffffn],
  ['cpu', /^env\.(gdt|idt)\.(selector|flags)$/, 0n],
  ['cpu', /^env\.mxcsr$/, 0xffffn],
  ['cpu', /^env\.(fptag_vmstate|sipi_vector)$/, 0xffn],
  ['cpu', /^env\.(soft_interrupt|nmi_injected|has_error_code|fpregs_format_vmstate)$/, 1n],
  ['cpu', /^env\.nmi_pending$/, 2n],
  ['cpu', /^env\.mp_state$/, 10n],
  ['i8259', /^(read_reg_select|poll|special_mask|auto_eoi|rotate_on_auto_eoi|special_fully_nested_mode)$/, 1n],
  ['i8259', /^init4$/, 1n],
  // The bit as in the first initialisation word (ICW1).
  ['i8259', /^single_mode$/, 2n],
  ['i8259', /^init_state$/, 3n],
  ['i8259', /^priority_add$/, 7n],
  ['hpet', /^timer\[\d+\]\.wrap_flag$/, 1n],
  ['hpet', /^timer\[\d+\]\.tn$/, 31n],
  ['mc146818rtc', /^cmos_index$/, 0xffn],
];

/** Fields that hold -1 or a small number. */
const NONE_OR: readonly [section: string, path: RegExp, most: bigint][] = [
  ['cpu', /^env\.interrupt_injected$/, 0xffn],
  ['cpu', /^env\.exception_nr$/, 31n],
];

/** Whether a field has a value that neither the device nor QEMU gives it. @param section name of the section */
export function isOddField(section: string, { path, size }: DeviceField, bytes: Uint8Array): boolean {
  if (size > 8 || bytes.length !== size) return false;
  const value = unsigned(bytes);
  const applies = ([name, pattern]: readonly [string, RegExp, bigint]) => name === section && pattern.test(path);
  const limit = LIMITS.find(applies);
  if (limit) return value > limit[2];
  const orNone = NONE_OR.find(applies);
  if (orNone) return value > orNone[2] && BigInt.asIntN(8 * size, value) !== -1n;
  if (section !== 'cpu' || !path.startsWith('env.mtrr_')) return false;
  if (path.startsWith('env.mtrr_fixed')) return bytes.some((type) => !MEMORY_TYPES.includes(type));
  return path === 'env.mtrr_deftype' && (!MEMORY_TYPES.includes(bytes[size - 1]) || (value & ~0xcffn) !== 0n);
}

function unsigned(bytes: Uint8Array): bigint {
  let value = 0n;
  for (const byte of bytes) value = (value << 8n) | BigInt(byte);
  return value;
}
