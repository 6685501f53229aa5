import { execFileSync } from 'node:child_process';

/** What the ends of a link do to what they send. */
interface Shape {
  /** For tc-netem: delay with jitter, loss, rate. */
  netem: string[];
  /** For kernels without netem: rate only. */
  tbf: string[];
}

const SHAPES: Record<string, Shape> = {
  slow: { netem: ['delay', '10ms', '2ms', 'rate', '100mbit', 'limit', '10000'], tbf: ['rate', '100mbit', 'burst', '256kb', 'latency', '50ms'] },
  lossy: { netem: ['delay', '5ms', 'loss', '0.5%', 'rate', '200mbit', 'limit', '10000'], tbf: ['rate', '200mbit', 'burst', '64kb', 'latency', '5ms'] },
};

/** Shapes both ends of a link; says how, in words: which of delay, loss and rate this kernel really does. */
export function shapeVeth(link: string, ends: [string, string][]): string {
  const shape = SHAPES[link];
  const words = ends.map(([namespace, device]) => {
    tc(namespace, 'qdisc', 'del', 'dev', device, 'root');
    if (!shape) return 'as it is';
    if (tc(namespace, 'qdisc', 'add', 'dev', device, 'root', 'netem', ...shape.netem)) return `netem ${shape.netem.join(' ')}`;
    if (tc(namespace, 'qdisc', 'add', 'dev', device, 'root', 'tbf', ...shape.tbf)) return `no netem in this kernel; tbf ${shape.tbf.join(' ')}`;
    return 'this kernel shapes nothing: as it is';
  });
  return words[0];
}

function tc(namespace: string, ...args: string[]): boolean {
  try {
    execFileSync('ip', ['netns', 'exec', namespace, 'tc', ...args], { stdio: 'pipe' });
    return true;
  } catch {
    return false;
  }
}
