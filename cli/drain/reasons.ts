/** Consequence of a failed migration whose machine still runs here, by the code of the error. */
export type Consequence =
  /** The target is busy: try again later, or try another target. */
  | 'later'
  /** This machine does not fit the target: try another target. */
  | 'elsewhere'
  /** The target is unusable: this machine goes to another target, and no more machines go to this one. */
  | 'target-stops'
  /** The fault is the machine's: it stays. */
  | 'stays';

const BY_CODE: Readonly<Record<string, Consequence>> = {
  busy: 'later',
  ...{
    'too-much-memory': 'elsewhere',
    'other-machine': 'elsewhere',
    'other-hypervisor': 'elsewhere',
    'memory-in-use': 'elsewhere',
    'memory-not-fresh': 'elsewhere',
    'cannot-run': 'elsewhere',
    'no-memory': 'elsewhere',
    'qemu-ended': 'elsewhere',
  },
  ...{
    closed: 'target-stops',
    'other-version': 'target-stops',
    'link-lost': 'target-stops',
    'peer-silent': 'target-stops',
    'peer-cancelled': 'target-stops',
    'peer-refused': 'target-stops',
    'target-gave-up': 'target-stops',
    'gave-up': 'target-stops',
    'wrong-code': 'target-stops',
    'wrong-certificate': 'target-stops',
    'wrong-name': 'target-stops',
    'no-tls': 'target-stops',
  },
};

/** System codes that concern the connection, not this host. */
const OF_NETWORK = /^E(CONN|HOST|NET|TIMEDOUT|AI_|NOTFOUND|PIPE|ADDR)/;

export function consequenceOf(code: string | undefined): Consequence {
  if (code === undefined) return 'stays';
  return BY_CODE[code] ?? (OF_NETWORK.test(code) ? 'target-stops' : 'stays');
}
