import type { QemuStateDescription } from '../../src/saved-state/qemu/describe-qemu.ts';
import { sizeText } from '../terminal/size-text.ts';
import { heading } from '../terminal/styles.ts';
import { table } from '../terminal/table.ts';
import { indent, joined, line, lines, type TerminalText } from '../terminal/terminal-text.ts';
import { factLines } from './fact-lines.ts';
import { CONTROL_REGISTERS, SHOWN_REGISTERS, section } from './state-section.ts';

/** The description of a state of QEMU for people. */
export function renderQemuState(state: QemuStateDescription): TerminalText {
  const parts = [renderContainer(state), renderSections(state), renderMemory(state), renderCpus(state)];
  if (state.container.qcow2) parts.splice(1, 0, renderSnapshots(state.container.qcow2.snapshots));
  if (state.section) parts.push(renderSection(state.section));
  return joined(parts, '\n\n');
}

function renderContainer({ container, machine, capabilities, commands, runState }: QemuStateDescription): TerminalText {
  const { libvirt, qcow2 } = container;
  const domain = libvirt?.domain;
  return section(
    'Container',
    factLines([
      [
        'format',
        { stream: 'QEMU migration stream', libvirt: 'libvirt save image', qcow2: 'qcow2 snapshot' }[container.kind],
      ],
      ['compression', libvirt?.compression],
      ['snapshot', qcow2?.snapshot],
      ['domain', domain?.name],
      ['uuid', domain?.uuid],
      ['devices', domain?.devices.join(', ')],
      ['machine type', machine ?? 'not told'],
      ['capabilities', capabilities.join(', ') || 'none'],
      ['commands', commands.join(', ')],
      ['after loading', runState],
      ['size', `${sizeText(container.size)} (${container.size} bytes)`],
      ['after its end', container.trailing > 0 ? `${container.trailing} bytes` : undefined],
    ]),
  );
}

/** The snapshots in a disk image. */
export function renderSnapshots(
  snapshots: NonNullable<QemuStateDescription['container']['qcow2']>['snapshots'],
): TerminalText {
  const rows = snapshots.map(({ id, name, date, guestSeconds, stateSize, diskSize }) => [
    id,
    name,
    date,
    `${guestSeconds.toFixed(3)} s`,
    stateSize === 0 ? 'disk only' : sizeText(stateSize),
    sizeText(diskSize),
  ]);
  return section(
    `Snapshots (${snapshots.length})`,
    table(['id', 'name', 'date', "guest's clock", 'state', 'disk'], rows),
  );
}

function renderSections({ sections, split }: QemuStateDescription): TerminalText {
  const rows = sections.map((each) => [each.pass, each.name, each.instance, each.version, each.offset, each.size]);
  const body = table(['part', 'name', 'instance', 'version', 'offset', 'bytes'], rows);
  const note = indent('There is no description: the ends of sections are a guess');
  return section(`Sections (${sections.length})`, split === 'search' ? lines([body, note]) : body);
}

function renderMemory({ memory }: QemuStateDescription): TerminalText {
  const map = memory.map.map(({ start, end, size, name }) => [start, end, sizeText(size), name]);
  const blocks = memory.blocks.map((block) => [
    block.name,
    sizeText(block.size),
    block.pages,
    block.zeroRecords,
    block.rawRecords,
    block.leftOut ? 'in the shared file (--ram)' : block.mapped ? 'mapped' : '',
  ]);
  const layout = memory.layoutKnown
    ? []
    : [
        indent(
          'Not all addresses are known: blocks are shown one after the other, DIMMs and the like from a whole GiB on',
        ),
      ];
  return section(
    'Memory',
    lines([
      factLines([['RAM', sizeText(memory.ramSize)]]),
      table(['from', 'to', 'size', 'block'], map),
      ...layout,
      table(['block', 'size', 'pages', 'zero records', 'page records', ''], blocks),
    ]),
  );
}

function renderCpus({ cpus }: QemuStateDescription): TerminalText {
  if (cpus.length === 0) return section('CPUs', indent('no registers of x86 CPUs could be read'));
  const rows = cpus.map(({ cpu, mode, a20, registers }) => [
    cpu,
    mode,
    a20 ? 'on' : 'off',
    ...SHOWN_REGISTERS.map((name) => registers[name]),
  ]);
  const control = cpus.map(({ cpu, registers }) => [cpu, ...CONTROL_REGISTERS.map((name) => registers[name])]);
  return section(
    'CPUs',
    lines([
      table(['cpu', 'paging mode', 'A20', ...SHOWN_REGISTERS], rows),
      table(['cpu', ...CONTROL_REGISTERS], control),
    ]),
  );
}

function renderSection({
  name,
  instance,
  version,
  fields,
}: NonNullable<QemuStateDescription['section']>): TerminalText {
  const rows = fields.map((field) => [field.offset, field.name, field.type, field.size, field.value]);
  return lines([
    heading(line`Section ${name}/${instance}, version ${version}`),
    fields.length > 0 ? table(['at', 'field', 'type', 'bytes', 'value'], rows) : indent('it has no description'),
  ]);
}
