import { kinds } from './curves.ts';
import type { Curves } from './measure-curves.ts';

/** For each contender and kind, as Markdown: up to which amount every trial came back, and at which the first did none. */
export function survivalTable({ contenders, points }: Curves): string {
  const head = `| | MB | ${kinds.map(({ title }) => title).join(' | ')} |`;
  const rows = contenders.map(({ name, label, sizeBytes }) => {
    const cells = kinds.map((kind) => {
      const own = points
        .filter((point) => point.contender === name && point.kind === kind.name)
        .sort((one, other) => one.amount - other.amount);
      const text = (amount: number) =>
        kind.isLogarithmic ? `1 in ${Math.round(1 / amount)}` : `${round(amount * 100)} %`;
      const firstLoss = own.findIndex(({ recovered, trials }) => recovered < trials);
      const safe = own[firstLoss === -1 ? own.length - 1 : firstLoss - 1];
      const none = own.find(({ recovered }) => recovered === 0);
      const never = none === undefined ? '' : `, none at ${text(none.amount)}`;
      return `${safe === undefined ? 'not even the least' : `all up to ${text(safe.amount)}`}${never}`;
    });
    return `| ${label} | ${(sizeBytes / 1e6).toFixed(2)} | ${cells.join(' | ')} |`;
  });
  return [head, `| --- | --- |${kinds.map(() => ' --- |').join('')}`, ...rows].join('\n');
}

function round(value: number): number {
  return Math.round(value * 100) / 100;
}
