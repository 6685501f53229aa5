import { SOURCE_DECISIONS, TARGET_DECISIONS } from '../hand-over/decision-record.ts';
import { resolve } from '../hand-over/resolve.ts';
import { SOURCE_STATES, TARGET_STATES, type TransitionTable } from '../hand-over/states.ts';

// Translates the tables of the hand-over into Promela, for hand-over.pml, so that the model cannot differ from the
// code.

const ALIVE = [true, false, 'unknown'] as const;
type Alive = (typeof ALIVE)[number];
type Case = {
  source: (typeof SOURCE)[number];
  sourceAlive: Alive;
  target: (typeof TARGET)[number];
  targetAlive: Alive;
};
const SOURCE = [...SOURCE_DECISIONS, 'unknown'] as const;
const TARGET = [...TARGET_DECISIONS, 'unknown'] as const;

/** The text of `tables.pml`. */
export function promelaTables(): string {
  const names = [
    ...statesOf(SOURCE_STATES).map((state) => `s_${word(state)}`),
    ...statesOf(TARGET_STATES).map((state) => `t_${word(state)}`),
    ...eventsOf(SOURCE_STATES).map((event) => `se_${word(event)}`),
    ...eventsOf(TARGET_STATES).map((event) => `te_${word(event)}`),
    ...[...new Set([...SOURCE, ...TARGET])].map((decision) => `d_${word(decision)}`),
    ...['alive', 'ended', 'maybe_alive', 'is_source', 'is_target', 'is_undecided', 'nothing'],
  ];
  return [
    '/* Made from hand-over/states.ts and hand-over/resolve.ts by `npm run docs`; a test fails when it is stale. */',
    `mtype = { ${names.join(', ')} }`,
    transitions('source', 's', SOURCE_STATES),
    transitions('target', 't', TARGET_STATES),
    resolutions(),
    '',
  ].join('\n\n');
}

function word(name: string): string {
  return name.replaceAll('-', '_');
}

function statesOf(table: TransitionTable<string, string>): string[] {
  return Object.keys(table);
}

function eventsOf(table: TransitionTable<string, string>): string[] {
  return [...new Set(statesOf(table).flatMap((state) => Object.keys(table[state])))];
}

/** `next_source(state, event, next)`: `nothing` if the event is refused. */
function transitions(side: string, letter: string, table: TransitionTable<string, string>): string {
  const rows = statesOf(table).flatMap((state) =>
    Object.entries(table[state]).map(
      ([event, next]) =>
        `  :: (state) == ${letter}_${word(state)} && (event) == ${letter}e_${word(event)} -> next = ` +
        `${letter}_${word(next ?? '')}`,
    ),
  );
  return [
    `inline next_${side}(state, event, next) {`,
    '  if',
    ...rows,
    '  :: else -> next = nothing',
    '  fi',
    '}',
  ].join('\n');
}

/**
 * `resolve_records(…)`: the side that survives, and the entry that either record gets; `nothing` leaves it as it is.
 */
function resolutions(): string {
  const rows = SOURCE.flatMap((source) =>
    TARGET.flatMap((target) =>
      groups(source, target).map(
        ([condition, result]) =>
          `  :: (source) == d_${word(source)} && (target) == d_${word(target)}${condition} -> ${result}`,
      ),
    ),
  );
  const head =
    'inline resolve_records(source, sourceIs, target, targetIs, survivor, toSource, toTarget, sourceFirst) {';
  return [head, '  if', ...rows, '  fi', '}'].join('\n');
}

/** The answers for two decisions, with the fewest possible conditions on knowledge about their processes. */
function groups(source: Case['source'], target: Case['target']): [string, string][] {
  const says = (sourceAlive: Alive, targetAlive: Alive) => answer({ source, sourceAlive, target, targetAlive });
  const ofSource = ALIVE.some((own) => ALIVE.some((other) => says(own, other) !== says(true, other)));
  const ofTarget = ALIVE.some((own) => ALIVE.some((other) => says(own, other) !== says(own, true)));
  return (ofSource ? ALIVE : ALIVE.slice(0, 1)).flatMap((sourceAlive) =>
    (ofTarget ? ALIVE : ALIVE.slice(0, 1)).map((targetAlive): [string, string] => [
      (ofSource ? ` && (sourceIs) == ${life(sourceAlive)}` : '') +
        (ofTarget ? ` && (targetIs) == ${life(targetAlive)}` : ''),
      says(sourceAlive, targetAlive),
    ]),
  );
}

function life(alive: Alive): string {
  return alive === 'unknown' ? 'maybe_alive' : alive ? 'alive' : 'ended';
}

function answer({ source, sourceAlive, target, targetAlive }: Case): string {
  const { survivor, write, notYet } = resolve(
    { decision: source, alive: sourceAlive },
    { decision: target, alive: targetAlive },
  );
  const into = (side: string) => {
    const decision = write.find((each) => each.side === side)?.decision;
    return decision === undefined ? 'nothing' : `d_${word(decision)}`;
  };
  const first = write[0]?.side === 'source' ? 'true' : 'false';
  // As long as it is too early for an answer, the outcome is undecided.
  const told = notYet === undefined ? survivor : 'undecided';
  return `survivor = is_${told}; toSource = ${into('source')}; toTarget = ${into('target')}; sourceFirst = ${first}`;
}
