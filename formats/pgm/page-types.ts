import { OldPageType, type OldRange, type PageTypeNumbering } from './old-ranges.ts';

/** Names of RAM ranges since 6.1; in these versions, only files converted for today's loaders have them. */
const MODERN_RAM = /^(Conventional RAM|Extended RAM)/;
/**
 * Page types by number for loaders since 4.3. They use the number of RAM for MMIO2, too, and 0 for shadowed ROM, which
 * they do not compare then.
 */
const OF_4_3 = [
  OldPageType.ROM,
  OldPageType.RAM,
  OldPageType.MMIO2_ALIAS_MMIO,
  OldPageType.ROM_SHADOW,
  OldPageType.ROM,
  OldPageType.MMIO,
];

/** Tells which page-type numbering a file of versions 7 to 9 has, by the first page that is not RAM, and translates. */
export class PageTypes {
  numbering: PageTypeNumbering | undefined;

  /** To be called at the head of a range, before its pages. */
  beginRange({ description }: OldRange): void {
    if (this.numbering === undefined && MODERN_RAM.test(description)) this.numbering = '4.3';
  }

  /**
   * @param next the byte after the type: protection or state
   * @returns a value of `OldPageType`; a larger one for an unknown type
   */
  translate(type: number, next: number, range: OldRange): number {
    this.numbering ??= guess(type, next, range);
    if (this.numbering !== '4.3') return type;
    if (type === OldPageType.RAM && range.ownMemory) return OldPageType.MMIO2;
    return OF_4_3[type] ?? Number.POSITIVE_INFINITY;
  }
}

/**
 * Guesses the numbering: on a PC the first page that is no RAM is the VGA window at 0xA0000, which is MMIO in state
 * zero.
 */
function guess(type: number, next: number, range: OldRange): PageTypeNumbering | undefined {
  if (type === OldPageType.RAM) return range.ownMemory ? '4.3' : undefined;
  if (type === 3) return '4.3';
  return type === 5 && next === 0 ? '4.3' : 'original';
}
