import type { Measurement } from '../measure.ts';
import { mebibyte } from '../race.ts';

const steps = ['backup', 'verify', 'restore'] as const;
type Step = (typeof steps)[number];

type Cost = Pick<Measurement, 'durationMs' | 'processorMs' | 'peakResidentBytes'>;

/** What a case cost, or why it was not measured. */
export type ScalingResult = { readonly name: string; readonly group: string; readonly units: number } & (
  | { readonly steps: Readonly<Record<Step, Cost>> }
  | { readonly missing: string }
);

interface ScalingReport {
  readonly date: string;
  readonly machine: string;
  readonly results: readonly ScalingResult[];
}

const seconds = (ms: number) => `${(ms / 1000).toFixed(1)} s`;

function row(result: ScalingResult): string {
  if ('missing' in result) return `| ${result.name} | ${result.missing} | | |`;
  const cells = steps.map((step) => {
    const { durationMs, processorMs, peakResidentBytes } = result.steps[step];
    return `${seconds(durationMs)}, ${seconds(processorMs)}, ${Math.round(peakResidentBytes / mebibyte)} MiB`;
  });
  return `| ${result.name} | ${cells.join(' | ')} |`;
}

/** How much more the largest of a group costs than the smallest, beside how much more there is of it. */
function growth(results: readonly ScalingResult[]): string[] {
  const measured = results.filter((result) => 'steps' in result);
  return [...new Set(measured.map(({ group }) => group))].flatMap((group) => {
    const [small, large] = measured.filter((result) => result.group === group);
    if (small === undefined || large === undefined) return [];
    const times = (of: (cost: Cost) => number, step: Step) =>
      (of(large.steps[step]) / of(small.steps[step])).toFixed(1);
    const cells = steps.map(
      (step) => `${times(({ durationMs }) => durationMs, step)}, ${times(({ processorMs }) => processorMs, step)}`,
    );
    return [`| ${large.name} | ${(large.units / small.units).toFixed(0)} | ${cells.join(' | ')} |`];
  });
}

/** The page of results. */
export function formatScaling({ date, machine, results }: ScalingReport): string {
  return `# How it scales
\`npm run bench:scaling\` on ${date}: ${machine}. Each step once, of the command line with the settings as they are: encrypted, two copies, parity, all of
it read back. Time on the clock, the processor's time (of the process and the programs it runs, not of a server), and the most memory resident.

| | backup | verify | restore |
| --- | --- | --- | --- |
${results.map(row).join('\n')}

How many times as much (time, processor's time) the larger of two takes, beside how many times as much there is of it; less than that is what starting costs, more
would be worse than linear:

| | of it | backup | verify | restore |
| --- | --- | --- | --- | --- |
${growth(results).join('\n')}
`;
}
