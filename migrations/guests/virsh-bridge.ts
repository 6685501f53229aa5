import { type ChildProcess, execFile, spawn } from 'node:child_process';
import { createServer, type Server, type Socket } from 'node:net';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { linesOf } from '../../formats/binary/lines.ts';
import { EnvironmentError, InterruptedError, UnsupportedError } from '../../formats/errors.ts';
import { MIB } from '../../formats/sizes.ts';
import { clock, sleep } from '../../formats/world/waiting.ts';
import type { QmpWait } from '../qmp/qmp-client.ts';
import { startListening } from '../wire/start-listening.ts';
import { privateFolder, removeFolder } from './memory/private-folder.ts';

// libvirt keeps the QMP socket of its guests for itself, and passes commands on: `virsh qemu-monitor-command`. One
// virsh serves all commands, as starting one takes longer than a guest may stand still.

const LINE_LIMIT = 16 * MIB;
/** Of what virsh says of errors, as much as an error can show. */
const SAID = 500;

/** By then virsh has said why it does nothing. */
const ERROR_MS = 1000;
const LOOK_MS = 10;
/** It has to connect to libvirt first. */
export const VIRSH_MS = 30_000;

/** The QMP of a guest of libvirt at a socket of this process, as a QEMU would serve it, without events. */
export class VirshBridge {
  /** Path of the socket. */
  readonly path: string;
  /** Of the domain. */
  readonly uuid: string;
  readonly #folder = privateFolder();
  readonly #virsh: ChildProcess;
  readonly #server: Server;
  readonly #sockets = new Set<Socket>();
  /** Of the command that is carried out, in pieces as they came. */
  #output: string[] = [];
  #size = 0;
  /** The last of it, and what comes at its end. */
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
    this.#virsh = spawn('virsh', ['-q'], { stdio: 'pipe' });
    this.#virsh.stdout?.setEncoding('utf8').on('data', (text: string) => this.#heard(text));
    this.#virsh.stderr?.setEncoding('utf8').on('data', (text: string) => {
      this.#errors = (this.#errors + text).slice(-SAID);
    });
    this.#virsh.stdin?.on('error', () => {});
    this.#virsh.once('close', () => this.#hangUp());
    this.#virsh.once('error', () => this.#hangUp());
    this.#server = createServer((socket) => void this.#serve(socket).catch(() => socket.destroy()));
  }

  /**
   * @param domain its name, number or UUID
   * @throws EnvironmentError where there is no virsh, or none that answers; UnsupportedError `qmp-refused` in the words
   * of libvirt; InterruptedError
   */
  static async open(domain: string, wait: QmpWait = {}): Promise<VirshBridge> {
    const uuid = await virsh(['domuuid', '--', domain], `domain ${domain}`, wait);
    const bridge = new VirshBridge(uuid.trim());
    await startListening(bridge.#server, { path: bridge.path });
    return bridge;
  }

  close(): void {
    this.#server.close();
    this.#hangUp();
    this.#virsh.stdin?.end();
    // One that waits for libvirt hears nothing else.
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
        // libvirt has negotiated capabilities long ago.
        command.execute === 'qmp_capabilities' ? { return: {} } : JSON.parse(await this.#ask(JSON.stringify(command)));
      socket.write(`${JSON.stringify({ ...answer, id })}\n`);
    }
  }

  /** @returns a line of JSON; what virsh refuses as QEMU would refuse it */
  #ask(command: string): Promise<string> {
    const asked = this.#last.then(() => this.#askNow(command));
    this.#last = asked.catch(() => {});
    return asked;
  }

  async #askNow(command: string): Promise<string> {
    const end = `savkit-end-${++this.#commands}`;
    // virsh repeats what it is told, after its prompt.
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
    // Errors take another way, which may be slower.
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
      // It never ends an answer, or what it carries has no end.
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

/** As virsh reads words: JSON has another way to write the one letter that would end it. */
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
 * UUIDs of the domains of libvirt that run: a name may also be the number of another.
 * @throws as `VirshBridge.open` does
 */
export async function runningDomains(wait: QmpWait = {}): Promise<string[]> {
  const uuids = await virsh(['list', '--uuid'], 'to list its domains', wait);
  return uuids.split('\n').filter((uuid) => uuid !== '');
}

/** What virsh prints. @param subject completes "libvirt refuses" */
async function virsh(
  words: readonly string[],
  subject: string,
  { withinMs: timeout = VIRSH_MS, signal }: QmpWait,
): Promise<string> {
  const ends = { timeout, killSignal: 'SIGKILL', ...(signal && { signal }) } as const;
  try {
    return (await promisify(execFile)('virsh', ['-q', ...words], ends)).stdout;
  } catch (error) {
    if (signal?.aborted) throw new InterruptedError();
    const { stderr = '', killed, code } = error as { stderr?: string; killed?: boolean; code?: unknown };
    if (killed) throw new EnvironmentError('no-answer', `Cannot talk to libvirt: no answer for ${timeout / 1000} s`);
    if (typeof code === 'string') throw EnvironmentError.from(error, 'start virsh');
    throw new UnsupportedError('qmp-refused', `libvirt refuses ${subject}: ${firstError(stderr)}`);
  }
}
