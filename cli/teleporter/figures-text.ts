import type { PassFigures, StreamFigures } from '../../migrations/teleporter/pass-figures.ts';
import { sizeText, table } from '../render.ts';

/** One line: which pass, what came, how fast. */
export function figuresLine({ bytes, seconds, passes }: StreamFigures): string {
  const pages = passes.reduce((sum, pass) => sum + pass.pages, 0);
  const now = passes.at(-1);
  return `pass ${now?.pass ?? 0}: ${now?.pages ?? 0} pages, ${now?.dirtiedPages ?? 0} of them again · in all ${pages} pages, ${sizeText(bytes)}, ${rateText(bytes, seconds)}`;
}

/** One row per pass; neighbours with hardly any pages are summed up. */
export function passTable(passes: readonly PassFigures[]): string {
  const rows = passes.map(({ pass, pages, zeroPages, dirtiedPages, bytes, seconds }) => [
    String(pass),
    pages,
    zeroPages,
    dirtiedPages,
    sizeText(bytes),
    rateText(bytes, seconds),
  ]);
  return table(['pass', 'pages', 'zero', 'sent again', 'bytes', 'rate'], rows);
}

export function rateText(bytes: number, seconds: number): string {
  return seconds > 0 ? `${sizeText(bytes / seconds)}/s` : '-';
}
