import type { Progress } from '../src/operation/options.ts';

/** 1234567 → `1.23 MB`. */
export function formatBytes(sizeBytes: number): string {
  const units = ['bytes', 'kB', 'MB', 'GB', 'TB'];
  let value = sizeBytes;
  let unit = 0;
  while (value >= 1_000 && unit < units.length - 1) {
    value /= 1_000;
    unit += 1;
  }
  return unit === 0 ? `${value} bytes` : `${value.toPrecision(3)} ${units[unit]}`;
}

/** 1234567 → `1,234,567`. */
export function formatCount(count: number): string {
  return count.toLocaleString('en-US');
}

/** Bytes and time as a rate. */
export function formatRate(sizeBytes: number, durationMs: number): string {
  return `${formatBytes((sizeBytes * 1_000) / Math.max(durationMs, 1))}/s`;
}

const barCells = 28;

/** What the demo prints: plain lines in a pipe, colour and a moving bar on a terminal. */
export class Screen {
  readonly #stream: NodeJS.WriteStream;
  readonly #moving: boolean;
  readonly colour: boolean;
  #barShown = false;
  #steps = 0;

  constructor(stream: NodeJS.WriteStream = process.stdout) {
    this.#stream = stream;
    this.#moving = stream.isTTY === true;
    this.colour = this.#moving && !process.env['NO_COLOR'] && process.env['TERM'] !== 'dumb';
  }

  /** Characters that fit on a line, 40 at least: some terminals say that they have none. */
  get widthCells(): number {
    return Math.max(40, Math.min(this.#stream.columns || 80, 100));
  }

  /** The headline of the next step. */
  step(title: string): void {
    this.#steps += 1;
    this.#write(`\n${this.paint('1', `${this.#steps}. ${title}`)}\n`);
  }

  line(text: string): void {
    this.#write(text === '' ? '\n' : `   ${text}\n`);
  }

  good(text: string): void {
    this.line(`${this.paint('32', '✓')} ${text}`);
  }

  bad(text: string): void {
    this.line(`${this.paint('31;1', '✗')} ${text}`);
  }

  /** Shows progress in place; nothing in a pipe. */
  progress(progress: Progress): void {
    if (!this.#moving) return;
    const fraction = progress.totalBytes === 0 ? 0 : Math.min(1, progress.doneBytes / progress.totalBytes);
    const full = Math.round(fraction * barCells);
    const bar = `${'━'.repeat(full)}${'─'.repeat(barCells - full)}`;
    const text = `${progress.phase.padEnd(8)}${bar} ${String(Math.floor(fraction * 100)).padStart(3)} %  ${formatBytes(progress.doneBytes)}`;
    this.#stream.write(`\r\x1b[2K   ${text.slice(0, this.widthCells - 4)}`);
    this.#barShown = true;
  }

  /** In a colour, where colours are shown: `code` is the parameter of an SGR sequence. */
  paint(code: string, text: string): string {
    return this.colour ? `\x1b[${code}m${text}\x1b[0m` : text;
  }

  #write(text: string): void {
    if (this.#barShown) this.#stream.write('\r\x1b[2K');
    this.#barShown = false;
    this.#stream.write(text);
  }
}
