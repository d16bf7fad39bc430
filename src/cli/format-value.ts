import { stripVTControlCharacters, styleText } from 'node:util';
import type { CommandContext, TextOutput } from './command-context.ts';

const units = ['B', 'KiB', 'MiB', 'GiB', 'TiB', 'PiB'] as const;

/** Bytes for people: `0 B`, `1.5 KiB`, `12 MiB`; three digits at most. */
export function formatSize(sizeBytes: number): string {
  let value = sizeBytes;
  let unit = 0;
  while (value >= 999.5 && unit < units.length - 1) {
    value /= 1024;
    unit++;
  }
  const digits = unit > 0 && value < 99.95 ? 1 : 0;
  return `${value.toFixed(digits).replace(/\.0$/, '')} ${units[unit]}`;
}

/** A count with thousands apart: `1,204`. */
export function formatCount(count: number): string {
  return count.toLocaleString('en-US');
}

/** A count and its noun: `1 entry`, `2 entries`. */
export function formatNumberOf(count: number, one: string, many = `${one}s`): string {
  return `${formatCount(count)} ${count === 1 ? one : many}`;
}

/** A span for people: `0.4 s`, `12 s`, `3 min 05 s`, `2 h 07 min`. */
export function formatDuration(durationMs: number): string {
  const seconds = durationMs / 1000;
  if (seconds < 9.95) return `${seconds.toFixed(1)} s`;
  const whole = Math.round(seconds);
  if (whole < 60) return `${whole} s`;
  const two = (value: number) => String(value).padStart(2, '0');
  if (whole < 3600) return `${Math.floor(whole / 60)} min ${two(whole % 60)} s`;
  return `${Math.floor(whole / 3600)} h ${two(Math.floor((whole % 3600) / 60))} min`;
}

/** How long ago something was, for people: `just now`, `5 min ago`, `3 h ago`, `12 days ago`. */
export function formatAgo(ageMs: number): string {
  const minutes = Math.floor(ageMs / 60_000);
  if (minutes < 1) return 'just now';
  if (minutes < 60) return `${minutes} min ago`;
  const hours = Math.floor(minutes / 60);
  return hours < 48 ? `${hours} h ago` : `${formatCount(Math.floor(hours / 24))} days ago`;
}

/** Bytes a second for people; empty where no time has passed. */
export function formatRate(sizeBytes: number, durationMs: number): string {
  return durationMs > 0 ? `${formatSize((sizeBytes / durationMs) * 1000)}/s` : '';
}

/** A moment in UTC: `2026-11-21 11:18:26 UTC`. */
export function formatMoment(timeMs: number): string {
  return `${new Date(timeMs).toISOString().slice(0, 19).replace('T', ' ')} UTC`;
}

/** Names come from disks and archives: what could steer a terminal or break a line is shown as U+FFFD. */
export function printable(text: string): string {
  return stripVTControlCharacters(text).replace(/[\p{Cc}\p{Cf}\p{Zl}\p{Zp}\p{Cs}]/gu, '\u{fffd}');
}

const wide =
  /[\p{Emoji_Presentation}\u{1100}-\u{115f}\u{2e80}-\u{303e}\u{3041}-\u{a4cf}\u{ac00}-\u{d7a3}\u{f900}-\u{faff}\u{fe30}-\u{fe6f}\u{ff00}-\u{ff60}\u{ffe0}-\u{ffe6}\u{20000}-\u{3fffd}]/u;
const narrow = /^\p{Mark}/u;

/** Columns that a character takes on a terminal. */
function characterWidth(character: string): number {
  if (narrow.test(character)) return 0;
  return wide.test(character) ? 2 : 1;
}

/** Columns that a printable text takes on a terminal. */
export function displayWidth(text: string): number {
  let width = 0;
  for (const character of stripVTControlCharacters(text)) width += characterWidth(character);
  return width;
}

/** Cuts a printable text to a width; what is cut shows as `…`. */
export function cutToWidth(text: string, width: number): string {
  if (displayWidth(text) <= width) return text;
  let cut = '';
  let used = 1;
  for (const character of text) {
    used += characterWidth(character);
    if (used > width) break;
    cut += character;
  }
  return width > 0 ? `${cut}…` : '';
}

export type Paint = 'bold' | 'dim' | 'green' | 'yellow' | 'red' | 'cyan';

/** Colours a text where the stream is a terminal that wants colours. */
export function paint(context: CommandContext, stream: TextOutput, colour: Paint, text: string): string {
  const plain = !stream.isTTY || context.environment['NO_COLOR'] || context.environment['TERM'] === 'dumb';
  return plain ? text : styleText(colour, text, { validateStream: false });
}
