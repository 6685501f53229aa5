import type { ControlCommand } from './protocol.ts';

// What answers at a socket may be anything. Of replies that is checked which the client goes by; all else in them is
// passed on as it is.

/**
 * The kind of a value, or those of its parts; JSON has null for numbers that are none. A question mark: may be null or
 * missing.
 */
type Form = 'string' | 'number' | 'boolean' | 'object' | { readonly [key: string]: Form } | readonly [Form];

const STATUS: Form = {
  ...{
    name: 'string',
    state: 'string',
    ramSize: 'number',
    steps: 'number',
    ticks: 'number',
    faults: 'number',
    throttle: 'number',
  },
  workload: { kind: 'string', pages: 'number', rate: 'number' },
  figures: { runMs: 'number', steps: 'number', longestGapMs: 'number' },
  // Machines that an older savkit runs do not tell these.
  'cpus?': [{ 'guestMode?': 'string', 'shadowMode?': 'string' }],
  'host?': { 'paging?': 'string', 'sharing?': { exchangedPages: 'number' } },
};
const PASSES: Form = [{ pages: 'number', dirtyPages: 'number', written: 'number', ms: 'number' }];
const LOOK_BACK: Form = { ms: 'number', lost: ['string'], lostPages: 'number', keptIn: 'string' };
const ROUND: Form = {
  ...{
    round: 'number',
    pages: 'number',
    skipped: 'number',
    bytes: 'number',
    ms: 'number',
    rate: 'number',
    dirtied: 'number',
    downtimeMs: 'number',
  },
  ...{ paused: 'boolean', verdict: 'string', codecs: 'object' },
};

const RESULTS: Readonly<Record<ControlCommand, Form>> = {
  status: STATUS,
  pause: STATUS,
  resume: STATUS,
  stop: STATUS,
  reset: STATUS,
  console: { command: 'string', text: 'string' },
  throttle: STATUS,
  stats: { statistics: [{ path: 'string', unit: 'string', description: 'string' }] },
  check: { steps: 'number', ticks: 'number', pages: 'number', faults: ['object'] },
  save: { path: 'string', downtimeMs: 'number' },
  'live-save': {
    path: 'string',
    passes: PASSES,
    written: 'number',
    totalMs: 'number',
    downtimeMs: 'number',
    wasSuspended: 'boolean',
  },
  migrate: {
    ...{
      migration: 'string',
      machine: 'string',
      outcome: 'string',
      because: 'string',
      bytes: 'number',
      totalMs: 'number',
      downtimeMs: 'number',
    },
    ...{ downtime: 'object', paused: 'boolean', rounds: [ROUND] },
    'proof?': {
      mode: 'string',
      root: 'string',
      pages: 'number',
      ms: 'number',
      lost: ['string'],
      lostPages: 'number',
      'afterwards?': LOOK_BACK,
    },
  },
  limits: {},
  foretell: {
    ...{
      converges: 'boolean',
      because: 'string',
      rounds: 'number',
      totalMs: 'number',
      bytes: 'number',
      downtimeMs: 'number',
      dirtyRate: 'number',
    },
  },
  teleport: { passes: PASSES, downtimeMs: 'number', paused: 'boolean' },
};

const PERCENT: Form = { percent: 'number' };

const EVENTS: Readonly<Partial<Record<ControlCommand, Readonly<Record<string, Form>>>>> = {
  save: { progress: PERCENT },
  'live-save': { progress: PERCENT },
  teleport: { progress: { bytes: 'number' } },
  migrate: {
    connected: { attempt: 'number', peer: 'string' },
    'link-lost': { message: 'string' },
    resumed: { because: 'string' },
    'looked-back': { found: LOOK_BACK },
    'lost-pages': { count: 'number', first: 'string' },
    progress: {
      progress: {
        ...{
          round: 'number',
          ofRound: 'number',
          total: 'number',
          bytes: 'number',
          rate: 'number',
          dirtyRate: 'number',
          downtimeMs: 'number',
        },
        leftMs: ['number'],
      },
    },
  },
};

export function isResultOf(command: ControlCommand, result: unknown): boolean {
  return fits(result, RESULTS[command]);
}

export function isEventOf(command: ControlCommand, event: string, data: object): boolean {
  const forms = EVENTS[command];
  return !forms || !Object.hasOwn(forms, event) || fits(data, forms[event]);
}

function fits(value: unknown, form: Form): boolean {
  if (form === 'number') return typeof value === 'number' || value === null;
  if (form === 'object') return typeof value === 'object' && value !== null;
  if (typeof form === 'string') return typeof value === form;
  if (isList(form)) return Array.isArray(value) && value.every((each) => fits(each, form[0]));
  if (typeof value !== 'object' || value === null) return false;
  return Object.entries(form).every(([key, part]) => {
    const name = key.replace(/\?$/, '');
    const own = Object.hasOwn(value, name) ? (value as Record<string, unknown>)[name] : undefined;
    return (name !== key && (own === undefined || own === null)) || fits(own, part);
  });
}

function isList(form: Exclude<Form, string>): form is readonly [Form] {
  return Array.isArray(form);
}
