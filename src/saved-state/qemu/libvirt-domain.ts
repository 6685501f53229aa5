import { unlessBad } from '../../../formats/errors.ts';
import { child, children, type Element, number, parseSettings, textOf } from '../machine-facts/settings-xml.ts';

/** Facts about a machine in libvirt's settings of its domain. */
export interface LibvirtDomain {
  /** Name of the domain. */
  name?: string;
  /** UUID, as the XML has it. */
  uuid?: string;
  /** Machine type such as `pc-i440fx-7.2`. */
  machine?: string;
  /** Bytes of RAM. */
  memory?: number;
  /** Number of virtual CPUs. */
  cpus?: number;
  /** Kind of each device: `disk`, `interface` … */
  devices: string[];
}

/** Units of `<memory>` in bytes; without one KiB. */
const UNITS: Record<string, number> = {
  b: 1,
  bytes: 1,
  KB: 1e3,
  k: 2 ** 10,
  KiB: 2 ** 10,
  MB: 1e6,
  M: 2 ** 20,
  MiB: 2 ** 20,
  GB: 1e9,
  G: 2 ** 30,
  GiB: 2 ** 30,
  TiB: 2 ** 40,
};

/** Reads the settings of a domain; undefined if the text is no XML of one. */
export function readDomain(xml: string): LibvirtDomain | undefined {
  return unlessBad(() => domainOf(parseSettings(xml, "libvirt's settings")));
}

function domainOf(root: Element): LibvirtDomain | undefined {
  const domain = child(root, 'domain');
  if (Object.keys(domain).length === 0) return undefined;
  const devices = child(domain, 'devices');
  const text = (value: unknown) => {
    const found = typeof value === 'object' && value !== null ? (value as Element)['#text'] : value;
    return found === undefined ? undefined : String(found);
  };
  const memory = number(text(domain.memory), -1) * (UNITS[textOf(child(domain, 'memory').unit, 'KiB')] ?? Number.NaN);
  const cpus = number(text(domain.vcpu), -1);
  const machine = child(child(domain, 'os'), 'type').machine;
  return {
    ...optional('name', text(domain.name)),
    ...optional('uuid', text(domain.uuid)),
    ...optional('machine', typeof machine === 'string' ? machine : undefined),
    ...optional('memory', memory > 0 ? memory : undefined),
    ...optional('cpus', cpus > 0 ? cpus : undefined),
    devices: Object.keys(devices).flatMap((kind) => children(devices, kind).map(() => kind)),
  };
}

function optional<K extends string, V>(key: K, value: V | undefined): { [key in K]?: V } {
  return (value === undefined ? {} : { [key]: value }) as { [key in K]?: V };
}
