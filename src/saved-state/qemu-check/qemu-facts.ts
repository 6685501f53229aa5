import { FormatError } from '../../../formats/errors.ts';

// What a QEMU tells of itself in answers to QMP commands, kept in files.

/** A machine type of a QEMU. */
export interface MachineType {
  name: string;
  /** Other name, without a version. */
  alias?: string;
  isDefault: boolean;
  /** CPUs at most. */
  cpuMax?: number;
}

/** A model of a CPU with its features. */
export interface CpuModel {
  name: string;
  features: ReadonlyMap<string, boolean>;
}

/** Machine types out of the answer to `query-machines`. @throws FormatError `bad-json` */
export function readMachineTypes(text: string, file: string): MachineType[] {
  const list = answerIn(text, file);
  if (!Array.isArray(list)) throw bad(file, 'an answer to query-machines is a list');
  return list.map((each) => {
    const { name, alias, 'is-default': isDefault, 'cpu-max': cpuMax } = (each ?? {}) as Record<string, unknown>;
    if (typeof name !== 'string') throw bad(file, 'a machine type has no name');
    return {
      name,
      ...(typeof alias === 'string' ? { alias } : {}),
      isDefault: isDefault === true,
      ...(typeof cpuMax === 'number' ? { cpuMax } : {}),
    };
  });
}

/** A CPU model out of the answer to `query-cpu-model-expansion`. @throws FormatError `bad-json` */
export function readCpuModel(text: string, file: string): CpuModel {
  const answer = answerIn(text, file) as Record<string, unknown> | null;
  const model = (answer?.model ?? answer) as Record<string, unknown> | null;
  const props = model?.props;
  if (typeof model?.name !== 'string' || typeof props !== 'object' || props === null)
    throw bad(file, 'an answer to query-cpu-model-expansion has a model with a name and props');
  const features = Object.entries(props).filter((each): each is [string, boolean] => typeof each[1] === 'boolean');
  return { name: model.name, features: new Map(features) };
}

/** The value alone, or as QMP sends it. */
function answerIn(text: string, file: string): unknown {
  try {
    const value: unknown = JSON.parse(text);
    return typeof value === 'object' && value !== null && 'return' in value ? value.return : value;
  } catch {
    throw bad(file, 'it is no JSON');
  }
}

function bad(file: string, why: string): FormatError {
  return new FormatError('bad-json', `Cannot read ${file}: ${why}`);
}
