import type { Widths } from '../binary/cursor.ts';
import { WIDE } from '../binary/cursor.ts';
import type { Field, Struct } from '../binary/struct.ts';

/** Rows of a FORMAT.md table: offset, size, field, rule. Offsets after a field of variable size are left out. */
export function structTable(struct: Struct<unknown>, widths: Widths = WIDE): string {
  const lines = [
    `**${struct.name}** (source: ${struct.source})`,
    '',
    '| Offset | Size | Field | Kind | Meaning |',
    '|--:|--:|---|---|---|',
  ];
  let offset = 0;
  for (const [name, field] of Object.entries(struct.fields)) {
    const { kind } = field;
    const size = typeof kind === 'function' ? Number.NaN : kind.size(widths);
    const kindName = typeof kind === 'function' ? 'by other fields' : kind.name;
    lines.push(`| ${shown(offset)} | ${shown(size)} | ${name} | ${kindName} | ${meaning(field)} |`);
    offset += field.since === undefined ? size : Number.NaN;
  }
  return lines.join('\n');
}

function shown(value: number): string {
  return Number.isNaN(value) ? '…' : String(value);
}

function meaning({ doc, since, until }: Field<unknown>): string {
  const versions =
    since !== undefined ? ` (since version ${since})` : until !== undefined ? ` (until version ${until})` : '';
  return `${doc.replace(/\n/g, '\\n')}${versions}`;
}

/**
 * Replaces the lines between `<!-- table NAME -->` and `<!-- end -->` by the table of that name. @throws Error for a
 * name without table
 */
export function fillTables(text: string, tables: Record<string, string>): string {
  return text.replace(
    /(<!-- table (\w+) -->\n)[\s\S]*?(<!-- end -->)/g,
    (_, start: string, name: string, end: string) => {
      const table = tables[name];
      if (table === undefined) throw new Error(`There is no table ${name}`);
      return `${start}\n${table}\n\n${end}`;
    },
  );
}
