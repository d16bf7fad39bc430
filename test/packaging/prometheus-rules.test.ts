/** The alerts of `packaging/prometheus-rules.yml` ask for metrics that there are, fire when they should, and are explained. */
import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { test } from 'node:test';
import { fileURLToPath } from 'node:url';
import { requireProgram } from '../services/find-program.ts';
import { leftOut } from '../services/service-packages.ts';

const root = fileURLToPath(new URL('../..', import.meta.url));
const rules = join(root, 'packaging/prometheus-rules.yml');

/** Names of the metrics, as the code writes them. */
async function metricNames(): Promise<Set<string>> {
  const code = await readFile(join(root, 'src/operation/metrics.ts'), 'utf8');
  const names = [...code.matchAll(/'([a-z]+(?:_[a-z]+)+)',/g)].map(([, name]) => `holdfast_${name}`);
  assert.ok(names.length >= 13);
  return new Set(names);
}

test('alerts ask only for metrics that there are, and the guide explains each', async () => {
  const text = await readFile(rules, 'utf8');
  const guide = await readFile(join(root, 'docs/guides/metrics.md'), 'utf8');
  const alerts = [...text.matchAll(/^ {6}- alert: (\w+)\n {8}expr: (.+)$/gm)];
  assert.equal(alerts.length, text.split('- alert:').length - 1);
  assert.ok(alerts.length > 8);
  const names = await metricNames();
  for (const [, alert = '', expression = ''] of alerts) {
    const asked = expression.match(/holdfast_\w+/g) ?? [];
    assert.ok(asked.length > 0, alert);
    for (const name of asked) assert.ok(names.has(name), `${alert} asks for ${name}`);
    assert.match(guide, new RegExp(`^\\| \`${alert}\` \\|`, 'm'), alert);
  }
  for (const name of names) assert.match(guide, new RegExp(`^\\| \`${name}\` \\|`, 'm'), name);
});

test('alerts fire when they should, by Prometheus itself', { skip: leftOut('promtool') }, () => {
  for (const words of [
    ['check', 'rules', rules],
    ['test', 'rules', join(root, 'test/packaging/prometheus-rules-test.yml')],
  ]) {
    const { status, stdout, stderr } = spawnSync(requireProgram('promtool'), words, { encoding: 'utf8' });
    assert.equal(status, 0, stdout + stderr);
  }
});
