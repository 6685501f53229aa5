import type { Socket } from 'node:net';
import { join } from 'node:path';
import { linesOf } from '../../formats/binary/lines.ts';
import { EnvironmentError, InterruptedError, UnsupportedError } from '../../formats/errors.ts';
import type { StartedProgram } from '../../formats/world/programs.ts';
import type { Listener } from '../../formats/world/sockets.ts';
import { clock, sleep } from '../../formats/world/waiting.ts';
import { world } from '../../formats/world/world.ts';
import { listenAt } from '../qmp/one-connection.ts';
import { LINE_LIMIT, type QmpWait } from '../qmp/qmp-client.ts';
import { privateFolder, removeFolder } from './memory/private-folder.ts';

// libvirt keeps the QMP socket of its guests for itself, and passes commands on: `virsh qemu-monitor-command`. One
// virsh process serves all commands, as starting one takes longer than a guest may stand still.

/** Characters of virsh's messages that an error shows at most. */
const SAID = 500;

/** Time within which virsh tells why a command failed. */
const ERROR_MS = 1000;
const LOOK_MS = 10;
/** Time for a virsh command, which first connects to libvirt. */
export const VIRSH_MS = 30_000;

/** Serves the QMP of a libvirt guest at a socket of this process, as QEMU would, but without events. */
export class VirshBridge {
  /** Path of the socket. */
  readonly path: string;
  /** UUID of the domain. */
  readonly uuid: string;
  readonly #folder = privateFolder();
  readonly #virsh: StartedProgram;
  #listener: Listener | undefined;
  readonly #sockets = new Set<Socket>();
  /** Output of the current command, in pieces. */
  #output: string[] = [];
  #size = 0;
  /** Last part of the output so far, and the mark that ends an output. */
  #tail = '';
  #end = '';
  #isOver = false;
  #errors = '';
  #commands = 0;
  #wake: () => void = () => {};
  /** Commands are carried out one after the other. */
  #last: Promise<unknown> = Promise.resolve();

  private constructor(uuid: string) {
    this.uuid = uuid;
    this.path = join(this.#folder, 'qmp');
    this.#virsh = world.programs.start('virsh', ['-q'], { stdio: 'pipe' });
    this.#virsh.stdout?.setEncoding('utf8').on('data', (text: string) => this.#heard(text));
    this.#virsh.stderr?.setEncoding('utf8').on('data', (text: string) => {
      this.#errors = (this.#errors + text).slice(-SAID);
    });
    this.#virsh.stdin?.on('error', () => {});
    this.#virsh.once('close', () => this.#hangUp());
    this.#virsh.once('error', () => this.#hangUp());
  }

  /**
   * @param domain name, number or UUID
   * @throws EnvironmentError if there is no virsh, or it does not answer; UnsupportedError `qmp-refused` in the words
   * of libvirt; InterruptedError
   */
  static async open(domain: string, wait: QmpWait = {}): Promise<VirshBridge> {
    const uuid = await virsh(['domuuid', '--', domain], `domain ${domain}`, wait);
    const bridge = new VirshBridge(uuid.trim());
    const serve = (socket: Socket) => void bridge.#serve(socket).catch(() => socket.destroy());
    try {
      bridge.#listener = await listenAt(bridge.path, serve);
      return bridge;
    } catch (error) {
      bridge.close();
      throw error;
    }
  }

  close(): void {
    this.#listener?.close();
    this.#hangUp();
    this.#virsh.stdin?.end();
    // A virsh that waits for libvirt does not notice the end of its input.
    this.#virsh.kill('SIGKILL');
    removeFolder(this.#folder);
  }

  async #serve(socket: Socket): Promise<void> {
    this.#sockets.add(socket);
    socket.on('error', () => {}).on('close', () => this.#sockets.delete(socket));
    const version = JSON.parse(await this.#ask(JSON.stringify({ execute: 'query-version' })));
    socket.write(`${JSON.stringify({ QMP: { version: version.return, capabilities: [] } })}\n`);
    for await (const line of linesOf(socket, LINE_LIMIT, 'drop')) {
      const { id, ...command } = JSON.parse(line);
      const answer =
        // libvirt has already negotiated capabilities.
        command.execute === 'qmp_capabilities' ? { return: {} } : JSON.parse(await this.#ask(JSON.stringify(command)));
      socket.write(`${JSON.stringify({ ...answer, id })}\n`);
    }
  }

  /** @returns a line of JSON; refusals of virsh in the form of QEMU's */
  #ask(command: string): Promise<string> {
    const asked = this.#last.then(() => this.#askNow(command));
    this.#last = asked.catch(() => {});
    return asked;
  }

  async #askNow(command: string): Promise<string> {
    const end = `savkit-end-${++this.#commands}`;
    // The line feed distinguishes the mark from virsh's echo of the command, which follows a prompt.
    this.#end = `\n${end}`;
    [this.#output, this.#size, this.#tail, this.#isOver, this.#errors] = [[], 0, '\n', false, ''];
    this.#virsh.stdin?.write(`qemu-monitor-command ${quoted(this.uuid)} ${quoted(command)}\necho ${end}\n`);
    while (!this.#isOver) {
      if (this.#virsh.exitCode !== null || this.#virsh.signalCode !== null)
        throw new EnvironmentError('qmp-closed', 'Cannot talk to libvirt: virsh has ended');
      await new Promise<void>((resolve) => {
        this.#wake = resolve;
      });
    }
    const answer = this.#output
      .join('')
      .split('\n')
      .find((line) => line.startsWith('{'));
    // Errors come through stderr, which may be slower.
    for (const until = clock() + ERROR_MS; !answer && this.#errors === '' && clock() < until; ) await sleep(LOOK_MS);
    return answer ?? JSON.stringify({ error: { class: 'GenericError', desc: firstError(this.#errors) } });
  }

  #heard(text: string): void {
    this.#output.push(text);
    this.#size += text.length;
    const near = this.#tail + text;
    this.#isOver ||= near.includes(this.#end);
    this.#tail = near.slice(-this.#end.length);
    if (this.#size > LINE_LIMIT) {
      // The answer is too long, or has no end.
      this.#virsh.kill('SIGKILL');
      this.#virsh.stdout?.destroy();
      this.#output = [];
    }
    this.#wake();
  }

  #hangUp(): void {
    for (const socket of this.#sockets) socket.destroy();
    this.#wake();
  }
}

/** Quotes a word for virsh; JSON can write the single quote in another way. */
function quoted(text: string): string {
  return `'${text.replaceAll("'", '\\u0027')}'`;
}

function firstError(said: string): string {
  return (
    said
      .trim()
      .replace(/^error: /, '')
      .split('\n')[0] || 'libvirt does not say why'
  );
}

/**
 * UUIDs of libvirt's running domains; names are ambiguous, since a name may be the number of another domain.
 * @throws as `VirshBridge.open` does
 */
export async function runningDomains(wait: QmpWait = {}): Promise<string[]> {
  const uuids = await virsh(['list', '--uuid'], 'to list its domains', wait);
  return uuids.split('\n').filter((uuid) => uuid !== '');
}

/** Output of a virsh command. @param subject completes "libvirt refuses" */
async function virsh(
  words: readonly string[],
  subject: string,
  { withinMs: timeout = VIRSH_MS, signal }: QmpWait,
): Promise<string> {
  const ends = { timeout, killSignal: 'SIGKILL', ...(signal && { signal }) } as const;
  try {
    return (await world.programs.run('virsh', ['-q', ...words], ends)).stdout;
  } catch (error) {
    if (signal?.aborted) throw new InterruptedError();
    const { stderr = '', killed, code } = error as { stderr?: string; killed?: boolean; code?: unknown };
    if (killed) throw new EnvironmentError('no-answer', `Cannot talk to libvirt: no answer for ${timeout / 1000} s`);
    if (typeof code === 'string') throw EnvironmentError.from(error, 'start virsh');
    throw new UnsupportedError('qmp-refused', `libvirt refuses ${subject}: ${firstError(stderr)}`);
  }
}
