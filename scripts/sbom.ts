/**
 * Writes `sbom.cdx.json`, the software bill of materials of a release: CycloneDX of all that is installed with the package, from the lock file and
 * without a network. `npm pack` and `npm publish` call it.
 */
import { execFileSync } from 'node:child_process';
import { readFileSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';

const root = join(dirname(fileURLToPath(import.meta.url)), '..');
const { name } = JSON.parse(readFileSync(join(root, 'package.json'), 'utf8')) as { name: string };
const words = ['sbom', '--sbom-format', 'cyclonedx', '--omit', 'dev', '--package-lock-only'];
const made = execFileSync('npm', words, { cwd: root, encoding: 'utf8', maxBuffer: 64 * 1024 * 1024 });
const bill = JSON.parse(made) as { metadata: { component: { name: string } }; components: readonly unknown[] };
// npm names it after its folder.
bill.metadata.component.name = name;
writeFileSync(join(root, 'sbom.cdx.json'), `${JSON.stringify(bill, null, 2)}\n`);
console.log(`sbom.cdx.json: ${bill.components.length} packages`);
