/** What follows from a machine that runs on here, by the code of the error. */
export type Consequence =
  /** The target has no turn now: later, or another one. */
  | 'later'
  /** This machine does not fit that target: another one. */
  | 'elsewhere'
  /** The target is not to be had: no machine goes there any more, this one to another. */
  | 'target-stops'
  /** It is about the machine: it stays. */
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

/** Codes of the system that are about the connection, not about this host. */
const OF_NETWORK = /^E(CONN|HOST|NET|TIMEDOUT|AI_|NOTFOUND|PIPE|ADDR)/;

export function consequenceOf(code: string | undefined): Consequence {
  if (code === undefined) return 'stays';
  return BY_CODE[code] ?? (OF_NETWORK.test(code) ? 'target-stops' : 'stays');
}
