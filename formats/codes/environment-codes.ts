/** Failures of savkit's surroundings, by code: the codes of `EnvironmentError`, beside those of the system. */
export const ENVIRONMENT_CODES = {
  'ssh-keygen': 'ssh-keygen does not sign with this key',
  'http-changed': 'the file on the web server has changed while it was read',
  'http-status': 'the web server does not deliver the file, or not as announced',
  'worker-ended': 'the process that worked on a file has ended: was it killed, or out of memory?',
  'bad-name': 'the name of a file is not valid UTF-8',
  'bad-reply': 'the answer at the control socket does not come from a machine of this savkit',
  busy: 'the machine has as many connections as it takes',
  'cancelled-by-source': 'the other VirtualBox has cancelled the teleport',
  changed: 'the file has changed while it was read',
  'connection-lost': 'the connection to the other VirtualBox has broken',
  'hand-over-unknown': 'not known whether the other VirtualBox runs the machine',
  io: 'the system has failed without saying why',
  'link-lost': 'the connection to the other side has broken',
  'low-on-disk-space': 'the disk is nearly full',
  'no-answer': 'the process of the machine does not answer',
  'no-donor': 'VirtualBox does not start, stop or save the machine from which a donor was to be made',
  'no-home': 'there is no folder in which to keep records',
  'no-machine': 'no machine listens at the control socket',
  'no-memory': 'the host gives no more memory',
  'no-write-watch': 'the kernel cannot note which memory a guest writes',
  'no-queue':
    'a queue cannot be reached: its server does not answer, or the packages for it are not installed beside savkit',
  'no-tls': 'the other side does not speak TLS as expected',
  'not-a-file':
    'the output is no regular file, and would be replaced by one; or a list names an input that is no regular file',
  'other-user': 'another user may have put the control socket there, in a folder where everybody can make files',
  'peer-silent': 'the other side is connected, but says nothing',
  'qmp-busy': 'the QEMU at the socket sends no greeting: another client may be connected',
  'qmp-closed': 'the QEMU at the socket has ended, or closed the connection',
  'qmp-silent': 'the QEMU at the socket does not answer',
  'refused-by-target': 'the waiting VirtualBox does not take the state',
  'timed-out': 'nobody has connected in time',
  truncated: 'the machine has closed the connection without an answer',
  'wrong-certificate': 'one side does not trust the certificate of the other',
  'wrong-code': 'the pairing code is not the one that the target shows',
  'wrong-key': 'the relays do not have the same key',
  'wrong-name': "the target's certificate is for another name",
  'wrong-password': 'the waiting VirtualBox does not take the password',
} as const satisfies Record<string, string>;

/** A code of the system (`ENOENT`) or of Node (`ERR_SSL_…`). */
export type SystemCode = `E${Uppercase<string>}`;

/** Code of a failure of savkit's surroundings; `savkit explain CODE` tells more. */
export type EnvironmentCode = keyof typeof ENVIRONMENT_CODES | SystemCode;
