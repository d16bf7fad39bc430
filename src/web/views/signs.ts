import { html } from 'hono/html';
import type { RunState } from '../../history/run-record.ts';
import type { Diagnosis } from '../../operation/doctor.ts';
import type { ArchiveFacts, JobFacts, SourceState } from '../services/web-services.ts';
import { sharedTexts as texts } from '../texts/shared-texts.ts';
import { type IconName, icon } from './icons.ts';
import { type Markup, shown } from './markup.ts';

/** What a colour means, wherever it stands. */
export type Tone = 'well' | 'late' | 'bad' | 'odd' | 'busy' | 'plain';

interface Sign {
  readonly tone: Tone;
  readonly icon: IconName;
}

const well: Sign = { tone: 'well', icon: 'check' };
const late: Sign = { tone: 'late', icon: 'clock' };
const warning: Sign = { tone: 'late', icon: 'warning' };
const bad: Sign = { tone: 'bad', icon: 'cross' };
const odd: Sign = { tone: 'odd', icon: 'warning' };
const plain: Sign = { tone: 'plain', icon: 'question' };
const busy: Sign = { tone: 'busy', icon: 'runs' };

const sources: Readonly<Record<SourceState, Sign>> = { well, late, failing: bad, suspect: odd, unproven: plain };
const runs: Readonly<Record<RunState, Sign>> = {
  running: busy,
  succeeded: well,
  incomplete: warning,
  suspect: odd,
  failed: bad,
  interrupted: { tone: 'plain', icon: 'cross' },
  died: bad,
};
const healths: Readonly<Record<ArchiveFacts['health'], Sign>> = {
  proven: well,
  whole: { tone: 'well', icon: 'check' },
  unproven: plain,
  suspect: odd,
  damaged: bad,
};
const diagnoses: Readonly<Record<Diagnosis['state'], Sign>> = { ok: well, warning, failed: bad };

/** A sign of state: a shape, a word and a colour, any of which is enough. */
function sign({ tone, icon: name }: Sign, word: string): Markup {
  return html`<span class="state tone-${tone}">${icon(name)}${word}</span>`;
}

/** How something that is backed up stands. */
export function sourceSign(state: SourceState): Markup {
  return sign(sources[state], texts.sourceStates[state]);
}

/** How a run or a job stands. */
export function runSign(state: RunState | JobFacts['state']): Markup {
  return sign(runs[state], texts.runStates[state]);
}

/** How an archive stands. */
export function healthSign(health: ArchiveFacts['health']): Markup {
  return sign(healths[health], texts.health[health]);
}

/** What became of an action in the audit log: a code says why it was refused. */
export function outcomeSign(outcome: string): Markup {
  return sign(outcome === 'done' ? well : bad, shown(outcome));
}

/** What the doctor found. */
export function diagnosisSign(state: Diagnosis['state']): Markup {
  return sign(diagnoses[state], texts.diagnoses[state]);
}
