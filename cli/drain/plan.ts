import { FormatError } from '../../formats/errors.ts';
import { MIB } from '../../formats/sizes.ts';
import { parseJson } from '../../formats/values/json-text.ts';
import {
  checkShape,
  integer,
  list,
  oneOf,
  optional,
  record,
  type ShapeValue,
  text,
} from '../../formats/values/shape.ts';
import { readSmallText } from '../io/input.ts';

const MOST_MACHINES = 10_000;
const MOST_TARGETS = 1000;

/** Maximum number of migrations at the same time, in total or to one target. */
export const MOST_SLOTS = 64;
/** Name of the format, in each plan. */
export const PLAN_FORMAT = 'savkit/drain/1';

const planShape = record({
  plan: oneOf(PLAN_FORMAT),
  machines: list(text(4096), MOST_MACHINES),
  to: list(text(512), MOST_TARGETS),
  jobs: optional(integer(1, MOST_SLOTS)),
  perTarget: optional(integer(1, MOST_SLOTS)),
});
/** Machines and their targets, in the form of a plan's file. */
export type Plan = ShapeValue<typeof planShape>;

/** Whether an argument names a plan, not a machine. */
export function isPlan(word: string): boolean {
  return word.endsWith('.json');
}

/**
 * Reads a plan, or the document of `drain --dry-run --json` that holds one.
 * @throws FormatError for a file that is no plan, EnvironmentError
 */
export async function readPlan(path: string): Promise<Plan> {
  const refuse = (why: string) => new FormatError('bad-plan', `Cannot read the plan ${path}: ${why}`);
  return checkShape(planIn(parseJson(await readSmallText(path, MIB), refuse)), planShape, refuse);
}

function planIn(value: unknown): unknown {
  const { files } = (value ?? {}) as { files?: { result?: { plan?: unknown } | null }[] };
  return (Array.isArray(files) && files[0]?.result?.plan) || value;
}
