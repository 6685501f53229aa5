import { countText } from '../../formats/amounts.ts';
import type { StateDescription } from '../../src/saved-state/describe/describe.ts';
import type { CpuDescription } from '../../src/saved-state/describe/describe-cpus.ts';
import type { PageHistogram } from '../../src/saved-state/describe/describe-memory.ts';
import { sizeText } from '../terminal/size-text.ts';
import { type Cell, table } from '../terminal/table.ts';
import { indent, joined, line, lines, NO_TEXT, type TerminalText } from '../terminal/terminal-text.ts';
import { factLines } from './fact-lines.ts';
import { CONTROL_REGISTERS, SHOWN_REGISTERS, section } from './state-section.ts';

/** A state description for people. */
export function renderState(state: StateDescription): TerminalText {
  const sections = [
    renderContainer(state),
    renderMachine(state),
    renderUnits(state),
    renderMemory(state),
    renderCpus(state),
    renderPages(state),
  ];
  return joined(
    sections.filter(({ isEmpty }) => !isEmpty),
    '\n\n',
  );
}

function renderContainer({ container, build, clock }: StateDescription): TerminalText {
  const flags = [container.streamCrc ? 'stream CRC' : '', container.live ? 'live save' : '']
    .filter((flag) => flag !== '')
    .join(', ');
  const rows: [string, Cell][] = [
    ['format', `V${container.format}`],
    ['written by', container.release && `VirtualBox ${container.release} r${container.revision}`],
    ['host', container.hostBits && `${container.hostBits} bit`],
    ['widths', `GCPhys ${container.gcPhysWidth}, GCPtr ${container.gcPtrWidth} bytes`],
    ['flags', flags || 'none'],
    ['size', `${sizeText(container.size)} (${container.size} bytes)`],
    ...Object.entries(build),
    ["guest's clock", clock && `${clock.time}${clock.utc ? ' (set to UTC by VirtualBox)' : ''}`],
  ];
  return section('Container', factLines(rows));
}

function renderMachine({ machine }: StateDescription): TerminalText {
  const { chipset, cpu, ranSeconds, media, network, graphics, paravirtualisation, guestAdditions, pending } = machine;
  const rows: [string, Cell][] = [
    ['chipset', chipset],
    ['CPU', cpu && `${cpu.vendor}${cpu.model ? `, ${cpu.model}` : ''}`],
    ...inLines(cpu?.features ?? []).map((text, i): [string, Cell] => [i === 0 ? 'CPU features' : '', text]),
    ['had run for', ranSeconds === undefined ? undefined : `${ranSeconds} s`],
    ...media.map(({ device, place, what }): [string, Cell] => [`${device} ${place}`, what]),
    ...network.map(({ device, model, mac }): [string, Cell] => [
      device,
      `network card${model ? ` ${model}` : ''}${mac ? `, ${mac}` : ''}`,
    ]),
    ['graphics', graphics && graphicsText(graphics)],
    ['paravirtualisation', paravirtualisation],
    ['guest additions', guestAdditions && connectionsText(guestAdditions.connections)],
    ...pending.map((text, i): [string, Cell] => [i === 0 ? 'waiting' : '', text]),
  ];
  const told = rows.filter(([, value]) => value !== undefined);
  return told.length === 0 ? NO_TEXT : section('Machine', factLines(told));
}

/** Words in lines that fit beside the names of facts. */
function inLines(words: readonly string[]): string[] {
  const width = 56;
  const rows: string[] = [];
  let row = '';
  for (const word of words) {
    if (row !== '' && row.length + 1 + word.length > width) {
      rows.push(row);
      row = word;
    } else row = row === '' ? word : `${row} ${word}`;
  }
  return row === '' ? rows : [...rows, row];
}

function graphicsText({ adapter, vramSize, monitors }: NonNullable<StateDescription['machine']['graphics']>): string {
  const memory = vramSize === undefined ? '' : `, ${sizeText(vramSize)}`;
  return `${adapter}${memory}${monitors === undefined ? '' : `, ${countText(monitors, 'monitor')}`}`;
}

function connectionsText(count: number): string {
  return count === 0
    ? 'none that use services of the host'
    : `${countText(count, 'connection')} to services of the host`;
}

function renderUnits({ units, container }: StateDescription): TerminalText {
  const rows = units.map((unit) => [
    ...(container.live ? [String(unit.pass)] : []),
    unit.name,
    unit.instance,
    versionText(unit.version),
    unit.offset,
    unit.size,
    unit.payloadSize,
  ]);
  const head = [...(container.live ? ['pass'] : []), 'name', 'instance', 'version', 'offset', 'in file', 'decoded'];
  return section(`Units (${units.length})`, table(head, rows));
}

/** Text of a unit's version; newer units of the API server count major << 16 | minor. */
export function versionText(version: number): string {
  return version < 0x10000 ? String(version) : `${version >>> 16}.${version & 0xffff}`;
}

function renderMemory({ memory }: StateDescription): TerminalText {
  if (!memory) return NO_TEXT;
  const rows: [string, Cell][] = [
    ['RAM', memory.ramSize === undefined ? 'size unknown' : sizeText(memory.ramSize)],
    ['hole below 4 GiB', memory.ramHole === undefined ? undefined : sizeText(memory.ramHole)],
    ['ballooned pages', memory.balloonedPages || undefined],
    ['unit pgm', `version ${memory.pgmVersion}`],
  ];
  const map = memory.map.map(({ start, end, size, kind, name }) => [start, end, sizeText(size), kind, name]);
  const parts = [section('Memory', factLines(rows)), table(['from', 'to', 'size', 'kind', 'name'], map)];
  const unmapped = memory.mmio2.filter(({ mappedAt }) => mappedAt === null);
  if (unmapped.length > 0)
    parts.push(
      indent(
        line`MMIO2, not mapped: ${joined(
          unmapped.map(({ name, size }) => line`${name} (${sizeText(size)})`),
          ', ',
        )}`,
      ),
    );
  if (memory.mappings.length > 0)
    parts.push(
      table(
        ['mapping', 'at', 'page tables'],
        memory.mappings.map((m) => [m.description, m.address, m.pageTables]),
      ),
    );
  return lines(parts);
}

function renderCpus({ cpus, features, registersMissing }: StateDescription): TerminalText {
  if (cpus.length === 0) return registersMissing === undefined ? NO_TEXT : section('CPUs', indent(registersMissing));
  const names = SHOWN_REGISTERS.filter((name) => cpus.some(({ registers }) => name in registers));
  const rows = cpus.map((cpu) => [
    cpu.cpu,
    modeText(cpu),
    cpu.a20 === undefined ? '' : cpu.a20 ? 'on' : 'off',
    ...names.map((name) => cpu.registers[name]),
  ]);
  const control = cpus.map((cpu) => [cpu.cpu, ...CONTROL_REGISTERS.map((name) => cpu.registers[name])]);
  const parts = [section('CPUs', table(['cpu', 'paging mode', 'A20', ...names], rows))];
  parts.push(registersMissing === undefined ? table(['cpu', ...CONTROL_REGISTERS], control) : indent(registersMissing));
  for (const { cpu, paePds } of cpus)
    if (paePds) parts.push(indent(`cpu ${cpu} PAE page directories: ${paePds.join(' ')}`));
  if (features) {
    const present = Object.entries(features).filter(([, has]) => has);
    parts.push(indent(`paging features: ${present.map(([name]) => name).join(', ')}`));
  }
  return lines(parts);
}

function modeText({ mode, storedMode, modesAgree }: CpuDescription): string {
  if (modesAgree !== false) return mode ?? storedMode ?? 'unknown';
  return `${mode} (unit pgm says ${storedMode})`;
}

const KINDS: readonly [keyof PageHistogram, string][] = [
  ['ramZero', 'RAM zero'],
  ['ramRaw', 'RAM'],
  ['ramBallooned', 'RAM ballooned'],
  ['mmio2Zero', 'MMIO2 zero'],
  ['mmio2Raw', 'MMIO2'],
  ['romVirgin', 'ROM'],
  ['romShadowZero', 'ROM shadow zero'],
  ['romShadowRaw', 'ROM shadow'],
  ['romProtection', 'ROM protection'],
];

/** Page records by kind; for a live save with a column for each pass with records. */
function renderPages({ memory, container }: StateDescription): TerminalText {
  if (!memory) return NO_TEXT;
  const total = Math.max(1, ...KINDS.map(([kind]) => memory.records[kind]));
  const rows = KINDS.filter(([kind]) => memory.records[kind] > 0).map(([kind, name]) => [
    name,
    memory.records[kind],
    bar(memory.records[kind] / total),
  ]);
  const parts = [section('Page records', table(['kind', 'pages', ''], rows))];
  if (container.live) {
    const kinds = KINDS.filter(([kind]) => memory.records[kind] > 0);
    const passes = memory.passes.map((pass) => [
      String(pass.pass),
      pass.size,
      ...kinds.map(([kind]) => pass.records[kind] || undefined),
    ]);
    parts.push(section('Passes', table(['pass', 'bytes', ...kinds.map(([, name]) => name)], passes)));
  }
  return joined(parts, '\n\n');
}

const BAR_WIDTH = 40;

function bar(share: number): string {
  return '█'.repeat(Math.max(1, Math.round(share * BAR_WIDTH)));
}
