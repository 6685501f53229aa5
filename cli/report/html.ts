/** Markup that is safe to put into a page: only `html` makes it, and escapes all text that goes in. */
export class Html {
  readonly text: string;
  constructor(text: string) {
    this.text = text;
  }
}

type Piece = Html | string | number | readonly Piece[];

/** A template whose values are escaped, except those that are Html. */
export function html(literals: TemplateStringsArray, ...pieces: Piece[]): Html {
  return new Html(literals.map((literal, i) => `${literal}${i < pieces.length ? textOf(pieces[i]) : ''}`).join(''));
}

export const NOTHING = html``;

function textOf(piece: Piece): string {
  if (piece instanceof Html) return piece.text;
  if (Array.isArray(piece)) return piece.map(textOf).join('');
  return String(piece).replace(UNSAFE, (character) => ENTITIES[character] ?? '\ufffd');
}

/** Characters with a meaning in markup, and characters that are not allowed or invisible. */
const UNSAFE = /[&<>"'\p{Cc}\p{Cf}\p{Cs}]/gu;
const ENTITIES: Readonly<Record<string, string>> = {
  '&': '&amp;',
  '<': '&lt;',
  '>': '&gt;',
  '"': '&quot;',
  "'": '&#39;',
  '\n': ' ',
  '\t': ' ',
};

export interface Column {
  title: string;
  isNumber?: boolean;
  /** Cells have few words, which stay on one line. */
  isShort?: boolean;
}

/** Maximum number of rows of a table; the rest is only counted. */
export const MOST_ROWS = 300;

/** A table that the keyboard can scroll, with a name for screen readers. */
export function tableOf(name: string, columns: readonly Column[], rows: readonly (readonly Piece[])[]): Html {
  const side = ({ isNumber, isShort }: Column) =>
    isNumber ? html` class="number"` : isShort ? html` class="short"` : NOTHING;
  return html`<div class="scroll" tabindex="0" role="region" aria-label="${name}"><table><caption>${name}</caption><thead><tr>${columns.map(
    (column) => html`<th scope="col"${side(column)}>${column.title}</th>`,
  )}</tr></thead><tbody>${rows.map(
    (row) => html`<tr>${row.map((cell, i) => html`<td${side(columns[i])}>${cell}</td>`)}</tr>`,
  )}</tbody></table></div>
`;
}

/** Facts side by side: a name and its value. */
export function factsOf(facts: readonly (readonly [string, Piece])[]): Html {
  return html`<dl class="facts">${facts.map(([name, value]) => html`<div><dt>${name}</dt><dd>${value}</dd></div>`)}</dl>
`;
}

/** A whole page, which loads no other file. */
export function pageOf(title: string, made: string, sections: readonly Html[]): string {
  return html`<!doctype html>
<html lang="en"><head><meta charset="utf-8"><meta name="viewport" content="width=device-width, initial-scale=1"><meta name="color-scheme" content="light dark"><meta http-equiv="Content-Security-Policy" content="default-src 'none'; style-src 'unsafe-inline'; img-src data:"><title>${title}</title><style>${new Html(STYLE)}</style></head>
<body><header><h1>${title}</h1><p>${made}</p></header><main>${sections}</main></body></html>
`.text;
}

const STYLE = `
:root{color-scheme:light dark;--page:#f6f7f9;--card:#fff;--ink:#1b2330;--soft:#5b6675;--line:#dfe3e9;--good:#1a7f4b;--bad:#c0302b;--warn:#a86400;
--ram:#3b76d6;--rom:#8a5cc7;--mmio2:#1d9a8a;--mmio:#d08a1e;--hole:#e6e9ee;--zero:#e6e9ee;--sparse:#b9d0f3;--text:#56a868;--data:#3b76d6;--dense:#d0612b}
@media(prefers-color-scheme:dark){:root{--page:#12161c;--card:#1b212a;--ink:#e6eaf0;--soft:#9aa6b5;--line:#2f3845;--good:#52c98a;--bad:#ff7b72;--warn:#e3a54a;
--ram:#5b93ec;--rom:#b08ae6;--mmio2:#3cbfae;--mmio:#e3a54a;--hole:#2a323d;--zero:#2a323d;--sparse:#35507c;--text:#5fbf76;--data:#5b93ec;--dense:#ea8352}}
*{box-sizing:border-box}body{margin:0;background:var(--page);color:var(--ink);font:15px/1.5 system-ui,"Segoe UI",Roboto,"DejaVu Sans",sans-serif}
header,main{max-width:1080px;margin:0 auto;padding:0 24px}header{padding-top:36px}h1{font-size:28px;margin:0;overflow-wrap:anywhere}header p{color:var(--soft);margin:4px 0 0}
section{background:var(--card);border:1px solid var(--line);border-radius:12px;padding:24px 28px;margin:24px 0}
h2{font-size:20px;margin:0 0 4px;overflow-wrap:anywhere}h3{font-size:15px;margin:28px 0 8px;color:var(--ink)}
.verdict{display:inline-block;padding:2px 12px;border-radius:99px;font-weight:600;color:#fff;background:var(--soft)}.verdict.good{background:#1a7f4b}.verdict.bad{background:#c0302b}.verdict.warn{background:#8f5600}
.facts{display:grid;grid-template-columns:repeat(auto-fill,minmax(170px,1fr));gap:14px 24px;margin:18px 0 0}.facts dt{color:var(--soft);font-size:13px}.facts dd{margin:0;font-weight:600;overflow-wrap:anywhere}
svg{display:block;width:100%;height:auto}svg text{fill:var(--ink);font:12px system-ui,"DejaVu Sans",sans-serif}svg .soft{fill:var(--soft)}
.legend{display:flex;flex-wrap:wrap;gap:4px 18px;margin:8px 0 0;padding:0;list-style:none;color:var(--soft);font-size:13px}.legend i{display:inline-block;width:11px;height:11px;border-radius:3px;margin-right:6px}
.scroll{max-height:420px;overflow:auto;border:1px solid var(--line);border-radius:8px}.scroll:focus-visible{outline:3px solid var(--ram)}
table{border-collapse:collapse;width:100%;font-size:13.5px}caption{position:absolute;width:1px;height:1px;overflow:hidden;clip-path:inset(50%)}th,td{text-align:left;padding:6px 12px;border-bottom:1px solid var(--line);vertical-align:top}
th{position:sticky;top:0;background:var(--card);color:var(--soft);font-weight:600}tr:last-child td{border-bottom:0}.number{text-align:right;font-variant-numeric:tabular-nums}.number,.short{white-space:nowrap}td{overflow-wrap:break-word;min-width:3em}
.findings{margin:0;padding:0;list-style:none}.findings li{border-left:4px solid var(--warn);padding:6px 12px;margin:0 0 8px;background:var(--page);border-radius:0 8px 8px 0}.findings .error{border-color:var(--bad)}.findings code{color:var(--soft);font-size:13px}
.findings strong{color:var(--ink)}details{margin:10px 0 0}summary{cursor:pointer;color:var(--soft);font-size:13.5px;margin-bottom:8px}
.screen{max-width:100%;border:1px solid var(--line);border-radius:8px}.note{color:var(--soft);font-size:13.5px;margin:8px 0 0}
@media print{body{background:#fff}section{break-inside:avoid}.scroll{max-height:none;overflow:visible}}
`;
