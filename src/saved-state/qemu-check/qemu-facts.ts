import { FormatError } from '../../../formats/errors.ts';
import { parseJson } from '../../../formats/values/json-text.ts';
import {
  checkShape,
  count,
  flag,
  list,
  object,
  optional,
  orElse,
  record,
  type Shape,
  text,
  withDefault,
} from '../../../formats/values/shape.ts';

// Reads answers of QEMU to QMP commands, out of files.

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

const word = text(256);
const machineTypesShape = list(
  record({ name: word, alias: optional(word), 'is-default': withDefault(flag, false), 'cpu-max': optional(count) }),
  1000,
);
const modelShape = record({ name: word, props: object });

/** Machine types out of the answer to `query-machines`. @throws FormatError `bad-json` */
export function readMachineTypes(json: string, file: string): MachineType[] {
  return answerIn(json, file, machineTypesShape).map(({ name, alias, 'is-default': isDefault, 'cpu-max': cpuMax }) => ({
    name,
    alias,
    isDefault,
    cpuMax,
  }));
}

/** A CPU model out of the answer to `query-cpu-model-expansion`. @throws FormatError `bad-json` */
export function readCpuModel(json: string, file: string): CpuModel {
  const { name, props } = answerIn(json, file, (value) => modelShape(fieldOf(value, 'model') ?? value));
  const features = Object.entries(props).filter((each): each is [string, boolean] => typeof each[1] === 'boolean');
  return { name, features: new Map(features) };
}

/** The answer: the value alone, or within QMP's message. */
function answerIn<T>(json: string, file: string, shape: Shape<T>): T {
  const refuse = (why: string) => new FormatError('bad-json', `Cannot read ${file}: ${why}`);
  const value = parseJson(json, refuse);
  return checkShape(fieldOf(value, 'return') ?? value, shape, refuse);
}

/** A field of a value that may be an object; undefined where there is none. */
function fieldOf(value: unknown, name: string): unknown {
  return orElse(object, {})(value)[name];
}
