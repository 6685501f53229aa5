import { countText } from '../../formats/amounts.ts';
import { hex } from '../../formats/errors.ts';
import type { ByteSource } from '../../formats/files/source.ts';
import { MIB, PAGE_SIZE } from '../../formats/sizes.ts';
import { screenshotOf } from '../../src/saved-state/describe/screenshot.ts';
import { extractToStream } from '../../src/saved-state/extract/extract-stream.ts';
import { type StateReport, verifyState } from '../../src/saved-state/families/verify-state.ts';
import type { Finding } from '../../src/saved-state/reading/findings.ts';
import type { MemoryRegion } from '../../src/saved-state/reading/memory-region.ts';
import type { StateView } from '../../src/saved-state/reading/state-view.ts';
import { sizeText } from '../terminal/size-text.ts';
import { type Bar, barsOf, type ChartStretch, gridOf, legendOf, MOST_CELLS, mapOf } from './charts.ts';
import { factsOf, type Html, html, MOST_ROWS, NOTHING, tableOf } from './html.ts';
import { mayLack } from './may-lack.ts';
import { LOOK_WORDS, PAGE_LOOKS, PageLooks } from './page-kinds.ts';
import { pagingSection } from './paging-section.ts';

const MOST_MARKS = 100;
const LOW_MEMORY = MIB;

export interface StateSection {
  verdict: StateReport['verdict'];
  html: Html;
}

/** The section of a page about a saved state. @throws EnvironmentError, InterruptedError */
export async function stateSection(
  file: string,
  source: ByteSource,
  signal: AbortSignal,
  onProgress: (doing: string, done: number) => void,
): Promise<StateSection> {
  const report = await verifyState(source, { signal, onProgress: (done) => onProgress('checking', done) });
  const { state, verdict, findings } = report;
  const isGood = verdict === 'whole' || verdict === 'no-damage-found';
  const looks = isGood && state?.memory ? await pageLooks(source, signal, onProgress) : undefined;
  const ramEnd = endOf(state?.memory?.regions.filter(({ kind }) => kind === 'ram') ?? []);
  const paging = isGood && ramEnd > 0 ? await pagingSection(source, ramEnd, signal, onProgress) : NOTHING;
  const screen = isGood && state?.family.name === 'virtualbox' ? await pictureOf(source, signal) : undefined;
  return {
    verdict,
    html: html`<section><h2>${file}</h2><span class="verdict ${isGood ? 'good' : verdict === 'damaged' ? 'bad' : 'warn'}">${verdict.replaceAll('-', ' ')}</span>${
      state ? stateParts(state, findings) : NOTHING
    }${findingsPart(report)}${screen ?? NOTHING}${looks ? looksPart(looks) : state?.memory ? html`<h3>RAM</h3><p class="note">Its pages are not shown: ${isGood ? 'this file does not hold them one by one' : 'the file is not whole'}.</p>` : NOTHING}${paging}${
      state ? unitsPart(state) : NOTHING
    }</section>`,
  };
}

function stateParts(state: StateView, findings: readonly Finding[]): Html {
  const { title, size, live, units, family, cpus, memory } = state;
  const ram = memory?.regions
    .filter(({ kind }) => kind === 'ram')
    .reduce((sum, { start, end }) => sum + end - start, 0);
  const fields = state.fields();
  const clock = fields.get('clock.time') ?? fields.get('clock');
  return html`${factsOf([
    ['Written', title],
    ['File', `${sizeText(size)}${live ? ', saved live' : ''}`],
    ['RAM', ram === undefined ? 'none in the state' : sizeText(ram)],
    ['CPUs', cpus.registers.length > 0 ? String(cpus.registers.length) : (cpus.missing ?? 'not told')],
    [`${family.unitWord}s`, String(units.length)],
    ...(clock === undefined ? [] : [["Guest's clock", clock] as const]),
  ])}${memory ? memoryPart(memory.regions) : NOTHING}${state.unitsHavePlaces ? filePart(state, findings) : NOTHING}`;
}

function endOf(regions: readonly MemoryRegion[]): number {
  return regions.reduce((last, { end }) => Math.max(last, end), 0);
}

function memoryPart(regions: readonly MemoryRegion[]): Html {
  const stretches: ChartStretch[] = regions.map(({ kind, start, end, name }) => ({
    start,
    end,
    colour: kind,
    title: `${name} (${kind}): ${hex(start)}–${hex(end)}, ${sizeText(end - start)}`,
  }));
  const end = Math.max(LOW_MEMORY, endOf(regions));
  const low = stretches.filter(({ start }) => start < LOW_MEMORY);
  return html`<h3>Guest-physical memory, to scale</h3>${mapOf('Guest-physical memory', end, stretches, (at) => hex(Math.round(at)))}<h3>Its first MiB</h3>${mapOf(
    'First MiB of guest-physical memory',
    LOW_MEMORY,
    low.map((each) => ({ ...each, end: Math.min(each.end, LOW_MEMORY) })),
    (at) => hex(Math.round(at)),
  )}${legendOf([
    ['ram', 'RAM'],
    ['rom', 'ROM'],
    ['mmio2', 'memory of devices'],
    ['mmio', 'registers of devices'],
    ['hole', 'nothing'],
  ])}<details><summary>${countText(regions.length, 'range')}</summary>${tableOf(
    'Ranges of guest-physical memory',
    [
      { title: 'range' },
      { title: 'kind' },
      { title: 'from', isNumber: true },
      { title: 'to', isNumber: true },
      { title: 'size', isNumber: true },
    ],
    regions
      .slice(0, MOST_ROWS)
      .map(({ name, kind, start, end: last }) => [name, kind, hex(start), hex(last), sizeText(last - start)]),
  )}</details>`;
}

/** Units in the file, with the findings at their places. */
function filePart({ units, size }: StateView, findings: readonly Finding[]): Html {
  const end = units.reduce((most, unit) => Math.max(most, unit.offset + unit.size), size);
  const colours = ['ram', 'mmio2', 'rom'];
  const stretches = units.map((unit, i) => ({
    start: unit.offset,
    end: unit.offset + unit.size,
    colour: unit.findings.length > 0 ? 'bad' : colours[i % colours.length],
    title:
      `${unit.name}/${unit.instance}: ${hex(unit.offset)}, ` +
      `${sizeText(unit.size)}${unit.findings.length > 0 ? ', damaged' : ''}`,
  }));
  const marks = findings
    .flatMap(({ place, message }) => (place.offset === undefined ? [] : [{ at: place.offset, title: message }]))
    .slice(0, MOST_MARKS);
  return html`<h3>The file, to scale</h3>${mapOf('Units in the file', end, stretches, (at) => sizeText(at), marks)}<p class="note">Each colour change is another unit${marks.length > 0 ? '; red arrows are findings, red units damaged' : ''}.</p>`;
}

function findingsPart({ findings, droppedFindings }: StateReport): Html {
  if (findings.length === 0) return NOTHING;
  const more = findings.length - MOST_ROWS + droppedFindings;
  return html`<h3>Findings</h3><ul class="findings">${findings
    .slice(0, MOST_ROWS)
    .map(
      ({ severity, message, place, vboxCode, qemuSays }) =>
        html`<li class="${severity}"><strong>${severity}</strong>${place.unit === undefined ? '' : ` in ${place.unit}${place.instance === undefined ? '' : `/${place.instance}`}`}: ${message}<br><code>${[
          ...(place.offset === undefined ? [] : [`at ${hex(place.offset)}`]),
          ...(place.gcPhys === undefined ? [] : [`guest-physical ${hex(place.gcPhys)}`]),
          ...(vboxCode === undefined ? [] : [vboxCode]),
          ...(qemuSays === undefined ? [] : [`QEMU: ${qemuSays}`]),
        ].join(' · ')}</code></li>`,
    )}</ul>${more > 0 ? html`<p class="note">… and ${more} more, which savkit verify --json lists.</p>` : NOTHING}`;
}

function unitsPart({ units, family }: StateView): Html {
  const word = family.unitWord;
  const rows = units
    .slice(0, MOST_ROWS)
    .map(({ name, instance, version, pass, offset, size, findings }) => [
      name,
      instance,
      version,
      String(pass),
      hex(offset),
      size.toLocaleString('en'),
      findings.length > 0 ? 'damaged' : 'good',
    ]);
  return html`<h3>${word.replace(/^./, (letter) => letter.toUpperCase())}s</h3>${tableOf(
    `${countText(units.length, word)}`,
    [
      { title: word },
      { title: 'instance', isNumber: true },
      { title: 'version', isNumber: true },
      { title: 'pass' },
      { title: 'offset', isNumber: true },
      { title: 'bytes', isNumber: true },
      { title: 'verdict' },
    ],
    rows,
  )}`;
}

/** Kinds of the pages of RAM; undefined for a state whose pages can't be read in order. */
async function pageLooks(
  source: ByteSource,
  signal: AbortSignal,
  onProgress: (doing: string, done: number) => void,
): Promise<PageLooks | undefined> {
  const looks = new PageLooks();
  try {
    const done = await extractToStream(source, looks, {
      signal,
      onProgress: (at, step) => onProgress(step, at),
    });
    return done && looks.pages > 0 ? looks : undefined;
  } catch (error) {
    if (mayLack(error, signal)) return undefined;
    throw error;
  }
}

function looksPart(looks: PageLooks): Html {
  const perCell = Math.max(1, Math.ceil(looks.pages / MOST_CELLS));
  const cells = Array.from({ length: Math.ceil(looks.pages / perCell) }, (_, i) =>
    looks.lookOf(i * perCell, (i + 1) * perCell),
  );
  const bars: Bar[] = looks.census.map((count, i) => ({
    name: LOOK_WORDS[PAGE_LOOKS[i]],
    value: count,
    text: `${sizeText(count * PAGE_SIZE)}, ${((count / looks.pages) * 100).toFixed(1)} %`,
    colour: PAGE_LOOKS[i],
  }));
  const titleOf = (cell: number) => `${hex(cell * perCell * PAGE_SIZE)}: ${LOOK_WORDS[cells[cell]]}`;
  return html`<h3>RAM by content</h3>${gridOf('RAM from its start, row by row', cells, titleOf)}${legendOf(
    PAGE_LOOKS.map((kind) => [kind, LOOK_WORDS[kind]] as const),
  )}<p class="note">From address 0, row by row; a cell is ${sizeText(perCell * PAGE_SIZE)}, and shows the commonest content of its pages, zeros apart. Holes in the address space count as zeros.</p><h3>Pages by kind</h3>${barsOf('Pages of RAM by kind', bars)}`;
}

async function pictureOf(source: ByteSource, signal: AbortSignal): Promise<Html | undefined> {
  try {
    const { png, width, height } = await screenshotOf(source, { signal });
    return html`<h3>Screen</h3><img class="screen" width="${width}" height="${height}" style="height:auto" alt="The screen of the guest when it was saved" src="data:image/png;base64,${Buffer.from(png).toString('base64')}">`;
  } catch (error) {
    if (mayLack(error, signal)) return undefined;
    throw error;
  }
}
