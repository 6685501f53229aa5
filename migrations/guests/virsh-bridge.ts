import { type ChildProcess, execFile, spawn } from 'node:child_process';
import { createServer, type Server, type Socket } from 'node:net';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { linesOf } from '../../formats/binary/lines.ts';
import { EnvironmentError, UnsupportedError } from '../../formats/errors.ts';
import { MIB } from '../../formats/sizes.ts';
import { clock, sleep } from '../../formats/world/waiting.ts';
import { privateFolder, removeFolder } from './private-folder.ts';

// libvirt keeps the QMP socket of its guests for itself, and passes commands on: `virsh qemu-monitor-command`. One virsh
// serves all commands, as starting one takes longer than a guest may stand still.

const LINE_LIMIT = 16 * MIB;
/** Of what virsh says of errors, as much as an error can show. */
const SAID = 500;

/** By then virsh has said why it does nothing. */
const ERROR_MS = 1000;
const LOOK_MS = 10;

/** The QMP of a guest of libvirt at a socket of this process, as a QEMU would serve it, without events. */
export class VirshBridge {
  /** Path of the socket. */
  readonly path: string;
  /** Of the domain. */
  readonly uuid: string;
  readonly #domain: string;
  readonly #folder = privateFolder();
  readonly #virsh: ChildProcess;
  readonly #server: Server;
  readonly #sockets = new Set<Socket>();
  #output = '';
  #errors = '';
  #commands = 0;
  #wake: () => void = () => {};
  /** Commands are carried out one after the other. */
  #last: Promise<unknown> = Promise.resolve();

  private constructor(domain: string, uuid: string) {
    this.#domain = domain;
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
   * @throws EnvironmentError where there is no virsh; UnsupportedError `qmp-refused` in the words of libvirt
   */
  static async open(domain: string): Promise<VirshBridge> {
    const bridge = new VirshBridge(domain, await uuidOf(domain));
    await new Promise<void>((resolve) => bridge.#server.listen(bridge.path, resolve));
    return bridge;
  }

  close(): void {
    this.#server.close();
    this.#hangUp();
    this.#virsh.stdin?.end();
    this.#virsh.kill();
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
    [this.#output, this.#errors] = ['', ''];
    this.#virsh.stdin?.write(`qemu-monitor-command ${quoted(this.#domain)} ${quoted(command)}\necho ${end}\n`);
    // virsh repeats what it is told, behind its prompt.
    const isOver = () => this.#output.split('\n').some((line) => line.startsWith(end));
    while (!isOver()) {
      if (this.#virsh.exitCode !== null || this.#virsh.signalCode !== null)
        throw new EnvironmentError('qmp-closed', 'Cannot talk to libvirt: virsh has ended');
      await new Promise<void>((resolve) => {
        this.#wake = resolve;
      });
    }
    const answer = this.#output.split('\n').find((line) => line.startsWith('{'));
    // Errors take another way, which may be slower.
    for (const until = clock() + ERROR_MS; !answer && this.#errors === '' && clock() < until; ) await sleep(LOOK_MS);
    return answer ?? JSON.stringify({ error: { class: 'GenericError', desc: firstError(this.#errors) } });
  }

  #heard(text: string): void {
    this.#output += text;
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

async function uuidOf(domain: string): Promise<string> {
  try {
    const { stdout } = await promisify(execFile)('virsh', ['-q', 'domuuid', '--', domain]);
    return stdout.trim();
  } catch (error) {
    const { stderr = '' } = error as { stderr?: string };
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') throw EnvironmentError.from(error, 'start virsh');
    throw new UnsupportedError('qmp-refused', `libvirt refuses domain ${domain}: ${firstError(stderr)}`);
  }
}
