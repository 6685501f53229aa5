// yargs drops a lone `-` among the arguments of a command, where it means stdin or stdout. So it travels under a name that no argument can have.

const DASH = '\0-';

export function hideDashes(words: readonly string[]): string[] {
  return words.map((word) => (word === '-' ? DASH : word));
}

/** To be used as yargs middleware. */
export function showDashes(options: Record<string, unknown>): void {
  for (const [key, value] of Object.entries(options)) options[key] = Array.isArray(value) ? value.map(show) : show(value);
}

function show(value: unknown): unknown {
  return value === DASH ? '-' : value;
}
