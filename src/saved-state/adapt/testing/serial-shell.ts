import { createConnection, type Socket } from 'node:net';
import { setTimeout as sleep } from 'node:timers/promises';

/** A line that the guest prints there all the time, between all answers. */
const TICK = /TICK \d+ up [\d.]+ date \d+\r?\n?/g;
/** A guest's serial port takes so few characters at once. */
const MS_BY_CHARACTER = 30;

/** A shell of a guest, on its serial port, which is a socket of the host. */
export class SerialShell {
  readonly #socket: Socket;
  #text = '';
  #asked = 0;

  private constructor(socket: Socket) {
    this.#socket = socket;
    socket.setEncoding('latin1');
    socket.on('data', (text) => {
      this.#text += text;
    });
    // Whether the guest is gone shows in its missing answers.
    socket.on('error', () => {});
  }

  static open(path: string): Promise<SerialShell> {
    return new Promise((resolve, reject) => {
      const socket = createConnection(path, () => resolve(new SerialShell(socket)));
      socket.once('error', reject);
    });
  }

  /** Runs a command. @returns what the guest said until it was done, or until `seconds` were over */
  async ask(command: string, seconds: number): Promise<string> {
    const mark = `DONE${++this.#asked}X`;
    this.#text = '';
    // The echo of the command has the mark in pieces.
    for (const character of `\n${command}; echo ${mark.slice(0, 4)}""${mark.slice(4)}\n`) {
      this.#socket.write(character);
      await sleep(MS_BY_CHARACTER);
    }
    for (const end = Date.now() + 1000 * seconds; Date.now() < end && !this.#text.includes(mark); ) await sleep(200);
    return this.#text.replace(TICK, '');
  }

  close(): void {
    this.#socket.destroy();
  }
}
