import { sampleArchive } from './sample-data.ts';
import type { Spelling } from './sample-sources.ts';

/** A page of each kind, by what it shows. */
export function pagePaths(spell: Spelling = (name) => name): Readonly<Record<string, string>> {
  const name = (index: number) => encodeURIComponent(sampleArchive(index, spell).name);
  const storage = encodeURIComponent(spell('local'));
  return {
    overview: '/',
    archives: '/archives',
    'archives, none found': '/archives?text=nothing-has-this-name',
    'archive, damaged': `/archive?name=${name(7)}`,
    'archive, opened': `/archive?name=${name(0)}&contents=contents1`,
    'back up': '/backup',
    job: '/jobs/job1',
    'job, forgotten': '/jobs/none',
    restore: '/restore',
    'restore, to open': `/restore?storage=${storage}&name=${name(0)}`,
    'restore, to choose': `/restore?storage=${storage}&name=${name(0)}&contents=contents1`,
    'restore, uploaded': '/restore?upload=u1',
    runs: '/runs',
    run: '/runs/run3',
    'run, failed': '/runs/f3a1',
    'run, unknown': '/runs/none',
    storages: '/settings',
    configuration: '/settings/configuration',
    notifications: '/settings/notifications',
    keys: '/settings/keys',
    doctor: '/settings/doctor',
  };
}
