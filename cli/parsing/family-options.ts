import { UsageError } from '../../formats/errors.ts';
import { FAMILIES, type StateFamily } from '../../src/saved-state/reading/families.ts';
import { typedName } from './option-name.ts';

/**
 * Options that only states of one family know, by their name, with the value that they have when they are not given.
 */
export type FamilyOptions = Record<StateFamily['name'], Record<string, unknown>>;

/** @throws UsageError for an option that was given, and that is not for states of this family */
export function expectOptionsOf(family: StateFamily, options: object, table: FamilyOptions): void {
  const given = options as Record<string, unknown>;
  for (const [owner, own] of Object.entries(table)) {
    if (owner === family.name) continue;
    for (const [name, byDefault] of Object.entries(own)) {
      if (given[name] === byDefault) continue;
      const option = typedName(name);
      const shown = byDefault === true ? `--no-${option}` : `--${option}`;
      const { title } = FAMILIES[owner as StateFamily['name']];
      throw new UsageError('usage', `Cannot use ${shown}: it is for states of ${title}, and the file is none`);
    }
  }
}
