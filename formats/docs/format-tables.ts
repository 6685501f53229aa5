import type { Struct } from '../binary/struct.ts';
import { limeHeader } from '../image/lime.ts';
import * as pgm from '../pgm/layouts.ts';
import { PGM_VERSIONS } from '../pgm/versions.ts';
import * as ssm from '../ssm/layouts.ts';
import * as cpum from '../units/cpu/cpum-layouts.ts';
import { structTable } from './struct-table.ts';

/** The documents with generated tables, by path from the root of the project, and the tables that each may use. */
export const DOCUMENTS: Record<string, Record<string, string>> = {
  'formats/ssm/FORMAT.md': tablesOf(ssm),
  'formats/pgm/FORMAT.md': {
    ...tablesOf(pgm),
    ...tablesOf(cpum),
    ...tablesOf({ limeHeader }),
    versions: versionTable(),
  },
};

function tablesOf(module: object): Record<string, string> {
  const structs = Object.entries(module).filter(
    (entry): entry is [string, Struct<unknown>] =>
      typeof entry[1] === 'object' && entry[1] !== null && 'fields' in entry[1],
  );
  return Object.fromEntries(structs.map(([name, struct]) => [name, structTable(struct)]));
}

function versionTable(): string {
  const yes = (value: boolean) => (value ? 'yes' : '–');
  const rows = PGM_VERSIONS.map(
    (v) =>
      `| ${v.version} | ${v.writtenBy} | ${v.basic} | ${v.pages} | ${yes(v.mappings)} | ` +
      `${yes(v.rangeDescriptions)} | ${yes(v.ramConfig)} | ${yes(v.balloonRecords)} |`,
  );
  return [
    '| Version | Written by | Basic part | Pages | Mappings | Range descriptions | RAM configuration | Balloon ' +
      'records |',
    '|--:|---|---|---|---|---|---|---|',
    ...rows,
  ].join('\n');
}
