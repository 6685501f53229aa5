import { UsageError } from '../../formats/errors.ts';
import { FAMILIES, type StateFamily } from '../../src/saved-state/reading/families.ts';
import { typedName } from './option-name.ts';

/** Options that exist for states of one family only, by name, with their default values. */
export type FamilyOptions = Record<StateFamily['name'], Record<string, unknown>>;

/** @throws UsageError for a given option that is not for states of this family */
export function expectOptionsOf(family: StateFamily, options: object, table: FamilyOptions): void {
  const given = options as Record<string, unknown>;
  for (const [owner, own] of Object.entries(table)) {
    if (owner === family.name) continue;
    for (const [name, byDefault] of Object.entries(own)) {
      if (given[name] === byDefault) continue;
      const option = typedName(name);
      const shown = byDefault === true ? `--no-${option}` : `--${option}`;
      const { title } = FAMILIES[owner as StateFamily['name']];
      throw new UsageError('usage', `Cannot use ${shown}: it is for states of ${title}, and the file is not one`);
    }
  }
}
