/** Of an XML document: attributes are strings, elements objects, or lists of them. */
export type Element = Record<string, unknown>;

/** The only, or first, element of a name; an empty one where there is none. */
export function child(element: Element, tag: string): Element {
  return children(element, tag)[0] ?? {};
}

export function children(element: Element, tag: string): Element[] {
  const value = element[tag];
  const list = Array.isArray(value) ? value : [value];
  return list.filter((item): item is Element => typeof item === 'object' && item !== null);
}

export function textOf(value: unknown, missing: string): string {
  return typeof value === 'string' ? value : missing;
}

/** Decimal, or hexadecimal after `0x`. */
export function number(value: unknown, missing: number): number {
  const parsed = typeof value === 'string' ? Number(value) : Number.NaN;
  return Number.isSafeInteger(parsed) && parsed >= 0 ? parsed : missing;
}

export function flag(value: unknown, missing: boolean): boolean {
  return value === 'true' || (value !== 'false' && missing);
}
