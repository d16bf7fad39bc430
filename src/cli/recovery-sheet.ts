import { encodeQR } from 'qr';
import type { Secret } from '../secret.ts';

/** What stands on the sheet of one share. */
export interface RecoverySheet {
  readonly share: Secret;
  readonly number: number;
  readonly shares: number;
  readonly threshold: number;
  readonly createdMs: number;
  /** What the key is for, in the user's words. */
  readonly label: string;
}

const groupLength = 5;
const groupsInLine = 8;

/** The share as people copy it: groups of five, eight a line. */
function grouped({ share }: RecoverySheet): string[] {
  const groups = share.reveal().match(new RegExp(`.{1,${groupLength}}`, 'g')) ?? [];
  const lines: string[] = [];
  for (let start = 0; start < groups.length; start += groupsInLine) {
    lines.push(groups.slice(start, start + groupsInLine).join(' '));
  }
  return lines;
}

function explanation({ threshold, shares, number }: RecoverySheet): string[] {
  const others = threshold - 1;
  return [
    `This is share ${number} of ${shares} of a key that opens backups. Any ${threshold} of them give the key; with fewer nobody learns anything about it.`,
    `Keep it where the other shares are not. On the day when it is needed, ${others} more ${others === 1 ? 'holder is' : 'holders are'} to be found.`,
    'holdfast restore ARCHIVE --share-file share-1.txt --share-file share-2.txt …',
    'Without Holdfast: node holdfast-recover.mjs ARCHIVE FOLDER --share-file share-1.txt --share-file share-2.txt …',
  ];
}

/** What stands on a sheet in one line: what follows a line's end would be read as the share. */
function titleOf({ label, number, shares }: RecoverySheet): string {
  return `${label === '' ? 'Holdfast recovery key' : label.replace(/\p{Cc}+/gu, ' ')}: share ${number} of ${shares}`;
}

/** A text file that `--share-file` reads: all but the share is comment. */
export function sheetText(sheet: RecoverySheet): string {
  const title = titleOf(sheet);
  const comments = [title, `made on ${day(sheet)}`, '', ...explanation(sheet)];
  return `${comments.map((line) => `# ${line}`.trimEnd()).join('\n')}\n\n${grouped(sheet).join('\n')}\n`;
}

/** A page to be printed, with everything in it: text, and a code for a camera. */
export function sheetPage(sheet: RecoverySheet): string {
  const title = titleOf(sheet);
  const [what, where, ...commands] = explanation(sheet).map(escapeHtml);
  // Capitals, so that the code takes its shorter form for letters and digits.
  const code = encodeQR(sheet.share.reveal().toUpperCase(), 'svg', { ecc: 'medium', border: 4 });
  return `<!doctype html>
<html lang="en">
<meta charset="utf-8">
<title>${escapeHtml(title)}</title>
<style>
  body { font: 12pt/1.5 system-ui, sans-serif; max-width: 17cm; margin: 1.5cm auto; color: #000; background: #fff; }
  h1 { font-size: 20pt; margin: 0 0 0.2cm; }
  .made { color: #444; margin: 0 0 0.6cm; }
  svg { width: 7cm; height: 7cm; display: block; margin: 0.6cm 0; }
  .share { font: 13pt/1.7 ui-monospace, monospace; border: 1pt solid #000; padding: 0.3cm 0.5cm; white-space: pre; width: max-content; }
  code { font-size: 9.5pt; overflow-wrap: anywhere; }
  .hand { margin-top: 1cm; border-top: 0.5pt solid #888; padding-top: 0.3cm; }
</style>
<h1>${escapeHtml(title)}</h1>
<p class="made">Holdfast · made on ${day(sheet)}</p>
<p>${what}</p>
<p>${where}</p>
${code}
<div class="share">${grouped(sheet).map(escapeHtml).join('\n')}</div>
<p>Type it into a file, spaces and line ends do not count, and:</p>
<p><code>${commands.join('</code></p>\n<p><code>')}</code></p>
<p class="hand">Held by: ________________ &nbsp; Since: ___________ &nbsp; Checked: ___________</p>
</html>
`;
}

function day({ createdMs }: RecoverySheet): string {
  return new Date(createdMs).toISOString().slice(0, 10);
}

function escapeHtml(text: string): string {
  return text.replace(/[&<>"']/g, (letter) => `&#${letter.charCodeAt(0)};`);
}
